from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.sample.places import Invented

from armillary.errors import BadInput
from armillary.models.fomo_net import FoMoNet, fomo_of
from armillary.models.fomo_sizes import FOMO_NETS
from armillary.models.weights import read_tensors
from armillary.recipes.fomo_net import NANO, PAPER, fomo_net
from armillary.recipes.places import Places, open_places
from armillary.sample.augment import Augment
from armillary.train.run import run

QUICK = replace(
    NANO, steps=2, batch_size=2, held_out_every=2, held_out_batches=1, accelerator="cpu",
    augment=Augment(size_px=32),
)  # fmt: skip


@pytest.fixture
def places() -> Places:
    return Places(Invented(places=3, side_px=40), Invented(places=2, side_px=40))


def test_a_run_leaves_weights_that_the_zoo_loads(places: Places, tmp_path: Path) -> None:
    list(run(fomo_net(QUICK, places), tmp_path / "run"))
    state = read_tensors(tmp_path / "run" / "weights.safetensors")
    assert {"spectral_embedding", "pos_embedding", "to_patch_embedding.2.weight"} <= set(state)
    model = fomo_of(FOMO_NETS["fomo-net-nano"], state, source="run")
    assert isinstance(model, FoMoNet)
    assert all(torch.isfinite(t).all() for t in state.values())


def test_the_packaged_sample_is_read_where_fomo_net_knows_the_sensors() -> None:
    job = fomo_net(QUICK, open_places())
    draw = next(iter(job.stream))
    assert set(draw.samples) <= {"s1-grd", "s1-rtc", "s2-l1c", "s2-l2a", "dem"}
    assert job.build()(draw)["reconstruct"].count > 0


def test_the_paper_is_what_its_configuration_says() -> None:
    assert (PAPER.batch_size, PAPER.accumulate, PAPER.objective.mask_ratio) == (112, 4, 0.75)
    assert (PAPER.decoder.width, PAPER.decoder.depth, FOMO_NETS[PAPER.model].image_px) == (512, 8, 128)


def test_a_model_that_is_none_is_refused(places: Places) -> None:
    with pytest.raises(BadInput, match="no FoMo-Net is called 'fomo'"):
        fomo_net(replace(NANO, model="fomo"), places)
