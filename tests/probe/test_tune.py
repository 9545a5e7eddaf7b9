import copy
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch

from armillary.earth.fleet import sensors
from armillary.errors import BadInput
from armillary.models.copernicus_fm import CopernicusFM, random_model
from armillary.models.sizes import SIZES
from armillary.probe.answer import ClassMap, OneOf
from armillary.probe.asked import Live, Parts
from armillary.probe.choosing import score
from armillary.probe.tune import OnModel, Tune, join
from armillary.sample.batch import Batch

SENSOR = sensors["s1-grd"]
N, SIDE = 24, 32
Y = np.arange(N) % 2
PARTS = Parts(np.arange(12), np.arange(12, 16), np.arange(16, N))


@lru_cache(maxsize=1)
def _model() -> CopernicusFM:
    small = replace(SIZES["copernicus-fm-nano"], width=32, depth=4, heads=2, taps=(0, 1, 2, 3))
    return random_model(small)


def _read(items: Sequence[int]) -> tuple[Batch, tuple[int, ...]]:
    """Synthetic: noise, stripes where the class is 1."""
    stripes = torch.sin(torch.arange(SIDE) * 1.5).expand(2, SIDE, SIDE)
    pixels = [0.3 * torch.randn(2, SIDE, SIDE, generator=torch.Generator().manual_seed(i)) for i in items]
    shown = torch.stack([p + 2 * int(Y[i]) * stripes for p, i in zip(pixels, items, strict=True)])
    return Batch(shown, SENSOR.bands, patch_px=SENSOR.patch_px), (1,) * len(items)


def _live(dense: bool = False) -> Live:
    truths = [np.full((20, 20), y) if dense else np.array(y) for y in Y]
    return Live((ClassMap if dense else OneOf)(("plain", "striped")), truths, PARTS, _model(), _read)


@pytest.mark.parametrize("rank", [None, 2], ids=["finetune", "lora"])
@pytest.mark.parametrize("dense", [False, True], ids=["items", "pixels"])
def test_a_model_learns_what_it_is_asked_and_the_one_given_stays(rank: int | None, dense: bool) -> None:
    live = _live(dense)
    before = {n: p.detach().clone() for n, p in live.model.named_parameters()}
    learned = Tune("t", rank, rates=(1e-2,), epochs=3, batch=6).tune(live, 0)
    told = learned.predict(PARTS.test)
    assert score(live.answer, told, [live.truths[i] for i in PARTS.test]) > 0.8
    assert all(torch.equal(p, before[n]) for n, p in live.model.named_parameters())


def test_at_birth_lora_changes_nothing() -> None:
    batch = _read([0, 1])[0]
    pupil = OnModel(_live(), 2, torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(pupil.model(batch).pooled, _model()(batch).pooled)


def test_with_lora_only_corrections_and_the_head_learn() -> None:
    pupil = OnModel(_live(), 2, torch.Generator().manual_seed(0))
    names = {n for n, p in pupil.named_parameters() if p.requires_grad}
    assert names
    assert all(n.startswith("head.") or n.endswith((".up", ".down")) for n in names)
    assert {id(p) for p in pupil.quick()} == {id(p) for p in pupil.parameters() if p.requires_grad}
    assert not pupil.slow()


def test_fine_tuning_moves_every_part_and_the_model_by_a_tenth_of_the_rate() -> None:
    pupil = OnModel(_live(), None, torch.Generator().manual_seed(0))
    fixed = [n for n, p in pupil.named_parameters() if not p.requires_grad]
    assert fixed == ["model.position.table"]
    assert len({id(p) for p in [*pupil.quick(), *pupil.slow()]}) == len(list(pupil.parameters())) - 1
    assert not {id(p) for p in pupil.quick()} & {id(p) for p in pupil.slow()}


def test_a_difference_is_the_last_less_the_first_and_a_mean_is_of_all() -> None:
    x = torch.tensor([[1.0], [5.0], [7.0], [2.0], [3.0]])
    assert join(x, (3, 2), "difference").tolist() == [[6.0], [1.0]]
    assert join(x, (4, 1), "mean").tolist() == [[3.75], [3.0]]
    assert join(x, (1,) * 5, "one") is x
    with pytest.raises(BadInput, match="mean or difference"):
        join(x, (3, 2), "one")


def test_a_model_that_is_frozen_throughout_is_refused() -> None:
    frozen = copy.deepcopy(_model()).requires_grad_(False)
    with pytest.raises(BadInput, match="requires_grad_"):
        Tune("finetune", epochs=1).tune(replace(_live(), model=frozen), 0)
