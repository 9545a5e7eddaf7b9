"""Law 17, the part of recipes: every one builds, and its configuration survives a file."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from tests.sample.places import Invented

from armillary.errors import BadInput, SceneNotFound
from armillary.models.weights import read_tensors
from armillary.recipes.copernicus_fm import PAPER, CopernicusFMRecipe, copernicus_fm
from armillary.recipes.places import Places, block_of, open_places
from armillary.recipes.table import RECIPES
from armillary.sample.augment import Augment
from armillary.train.config import read, to_yaml
from armillary.train.loop import Training, train
from armillary.train.run import run

QUICK = ("steps=2", "batch_size=4", "held_out_every=2", "held_out_batches=1", "accelerator=cpu")


@pytest.fixture
def places() -> Places:
    return Places(Invented(places=5, side_px=40), Invented(places=2, side_px=40))


def quick() -> CopernicusFMRecipe:
    small = Augment(size_px=32)
    return read(CopernicusFMRecipe, overrides=QUICK, start=replace(RECIPES["copernicus-fm"].start, augment=small))


@pytest.mark.parametrize("name", RECIPES)
def test_config_to_file_to_config_is_equal(name: str, tmp_path: Path) -> None:
    start = RECIPES[name].start
    (tmp_path / "x.yaml").write_text(to_yaml(start))
    assert read(type(start), tmp_path / "x.yaml") == start


@pytest.mark.parametrize("override", ["objective.mask=1", "decoder.size=1", "augment.zoom=2", "modell=x"])
def test_an_unknown_key_at_any_depth_is_an_error(override: str) -> None:
    with pytest.raises(BadInput, match="there is no key"):
        read(CopernicusFMRecipe, overrides=[override])


@pytest.mark.parametrize(
    "override",
    [
        "steps=0",
        "batch_size=0",
        "ema_decay=1",
        "held_out_every=0",
        "checkpoint_every=-1",
        "decoder.width=7",
        "objective.mask_ratio=1",
        "objective.temperature=0",
        "objective.weights.contrast=-1",
        "objective.views.tokens=0",
    ],
)
def test_a_number_of_which_no_run_can_be_made_is_an_error(override: str) -> None:
    with pytest.raises(BadInput, match=override.split("=", maxsplit=1)[0].rsplit(".", maxsplit=1)[-1]):
        read(CopernicusFMRecipe, overrides=[override])


def test_an_override_of_a_part_leaves_the_rest_of_the_recipe() -> None:
    config = read(CopernicusFMRecipe, overrides=["objective.mask_ratio=0.5"], start=PAPER)
    assert config == replace(PAPER, objective=replace(PAPER.objective, mask_ratio=0.5))


def test_a_run_leaves_weights_of_the_encoder_and_panels(places: Places, tmp_path: Path) -> None:
    job = copernicus_fm(quick(), places)
    list(run(job, tmp_path / "run"))
    encoder = job.build().mae.encoder
    kept = read_tensors(tmp_path / "run" / "weights.safetensors")
    assert sum(t.numel() for t in kept.values()) == sum(p.numel() for p in encoder.parameters())
    assert {p.name for p in (tmp_path / "run" / "pictures").iterdir()} == {
        "losses.png", "health.png", "panels-before.png", "panels-after.png",
    }  # fmt: skip


def test_the_objective_is_the_same_whenever_it_is_built(places: Places) -> None:
    job = copernicus_fm(quick(), places)
    one, two = (list(islice(train(job.build(), job.stream, job.config), 1)) for _ in range(2))
    assert one == two


def test_accumulated_parts_of_pretraining_are_the_whole_batch(places: Places) -> None:
    job = copernicus_fm(quick(), places)
    parts = replace(job.config, accumulate=2)
    (one,), (two,) = (list(islice(train(job.build(), job.stream, c), 1)) for c in (job.config, parts))
    assert two.loss == pytest.approx(one.loss, rel=1e-5)
    assert two.grad_norm == pytest.approx(one.grad_norm, rel=1e-3)


def test_a_model_that_is_none_is_refused(places: Places) -> None:
    with pytest.raises(BadInput, match="no model is called"):
        copernicus_fm(replace(quick(), model="copernicus-fm-tiny"), places)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SceneNotFound, match="give --data"):
        open_places(tmp_path / "absent")


def test_neighbouring_cells_are_held_out_together() -> None:
    assert block_of("0772176") == block_of("0772177@1-0") == block_of("0772170*2")
    assert block_of("0772176") != block_of("0772190")


def test_a_resumed_pretraining_is_uninterrupted(places: Places) -> None:
    job = copernicus_fm(replace(quick(), steps=4), places)
    whole = Training(job.build(), job.config)
    steps = list(train(whole.objective, job.stream, job.config, training=whole))
    first = Training(job.build(), job.config)
    before = list(islice(train(first.objective, job.stream, job.config, training=first), 2))
    second = Training(job.build(), job.config)
    second.restore(first.tensors(), step=first.step)
    assert before + list(train(second.objective, job.stream, job.config, training=second)) == steps


def test_a_decoder_that_corrects_values_is_not_asked_for_standardised_patches(places: Places) -> None:
    config = read(CopernicusFMRecipe, overrides=["objective.targets.scale=patch"], start=quick())
    with pytest.raises(BadInput, match=r"set objective\.targets\.scale=values, or decoder\.around=false"):
        copernicus_fm(config, places).build()
