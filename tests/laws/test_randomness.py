"""Law 7, the part of models: building one neither reads nor moves the global random state."""

import torch

from armillary.models.copernicus_fm import random_model
from armillary.models.sizes import CopernicusFMConfig

TINY = CopernicusFMConfig(width=32, depth=4, heads=2, taps=(0, 1, 2, 3), grid_side=4, sentence_route=True)


def test_a_random_model_leaves_the_random_state_alone() -> None:
    before = torch.get_rng_state()
    random_model(TINY, seed=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_random_model_does_not_depend_on_the_random_state() -> None:
    torch.manual_seed(1)
    one = random_model(TINY, seed=1).state_dict()
    torch.manual_seed(2)
    two = random_model(TINY, seed=1).state_dict()
    assert all(torch.equal(one[k], two[k]) for k in one)
