"""Names on the command line, and what a network is asked."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.bench.generation.worlds import cuts, teller

from armillary.bench.generation.teller import base_of, open_teller
from armillary.errors import BadInput, WeightsMismatch, WeightsMissing
from armillary.models.cop_gen import COP_GEN, CopGen
from armillary.models.weights import save
from armillary.train import checkpoint
from armillary.train.checkpoint import Checkpoint


@pytest.fixture(scope="module")
def network():
    return CopGen(COP_GEN["cop-gen-thumb"], seed=3)


def test_a_file_and_a_run_with_the_same_values_are_the_same_model(network, tmp_path):
    save(network, tmp_path / "w.safetensors")
    half = {f"model.{k}": v.detach() / 2 for k, v in network.named_parameters()}
    half |= {f"model.{k}": v for k, v in network.named_buffers()}
    whole = {f"model.{k}": v.detach() for k, v in network.named_parameters()}
    checkpoint.save(tmp_path / "checkpoints", Checkpoint(1, {"model": half, "ema": whole, "optim": {}}, {}), keep=1)
    file, run = (open_teller(f"cop-gen-thumb@{p}") for p in (tmp_path / "w.safetensors", tmp_path))
    assert file.digest == run.digest
    assert file.digest != open_teller("cop-gen-thumb@random").digest
    assert base_of(run.name) == "cop-gen-thumb"


def test_a_run_of_another_network_is_refused_in_one_sentence(tmp_path):
    values = {"model": {"model.places": torch.zeros(1)}, "ema": {}, "optim": {}}
    checkpoint.save(tmp_path / "checkpoints", Checkpoint(1, values, {}), keep=1)
    with pytest.raises(WeightsMismatch, match="another network") as caught:
        open_teller(f"cop-gen-thumb@{tmp_path}")
    assert len(str(caught.value)) < 600


def test_a_folder_without_a_checkpoint_and_a_file_that_is_not_there_are_refused(tmp_path):
    with pytest.raises(BadInput, match="no checkpoint"):
        open_teller(f"cop-gen-thumb@{tmp_path}")
    with pytest.raises(WeightsMissing):
        open_teller("cop-gen-thumb@nowhere.safetensors")
    with pytest.raises(BadInput, match="models that generate"):
        open_teller("copernicus-fm-nano")


def test_what_is_expected_does_not_depend_on_the_items_beside_it():
    items = [c.item for c in cuts(11, 4)]
    exact = teller()
    together = exact.expected(items, ("s1-rtc",), ("s2-l1c",))
    alone = exact.expected(items[9:10], ("s1-rtc",), ("s2-l1c",))
    np.testing.assert_allclose(together[9]["s1-rtc"], alone[0]["s1-rtc"], atol=1e-4)


def test_a_network_that_tells_no_numbers_is_refused_and_not_left_out_of_the_score():
    broken = replace(teller(), denoise=lambda x, times: {s: torch.full_like(v, torch.nan) for s, v in x.items()})
    items = [c.item for c in cuts(1, 5)]
    with pytest.raises(BadInput, match="no numbers of s1-rtc"):
        broken.expected(items, ("s1-rtc",), ("s2-l1c",))
    with pytest.raises(BadInput, match="weights are broken"):
        broken.drawn_each(items, ("s1-rtc",), (), [0])


def test_unknown_pixels_of_what_is_given_are_shown_as_the_middle():
    item = dict(cuts(1, 5)[0].item)
    item["s2-l1c"] = np.full_like(item["s2-l1c"], np.nan)
    middle = teller().expected([item], ("s1-rtc",), ("s2-l1c",))[0]["s1-rtc"]
    np.testing.assert_allclose(middle, -10.0, atol=1e-3)
