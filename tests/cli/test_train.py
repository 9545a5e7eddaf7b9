"""`armillary train` as a user meets it: a process of its own, on a folder of synthetic tiles."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from armillary.cli.train import train
from armillary.earth.fleet import sensors
from armillary.earth.window import Window
from armillary.errors import ArmillaryError
from armillary.recipes.table import RECIPES
from armillary.sample.sample import Sample
from armillary.sample.tiling import Tile, write_tiles

SMALL = (
    "steps=4",
    "batch_size=4",
    "checkpoint_every=1",
    "held_out_every=2",
    "held_out_batches=1",
    "accelerator=cpu",
    "augment.sizes_px=[]",
    "augment.size_px=32",
)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four places to train on and two held out, each a slope and some noise of three bands."""
    rng = np.random.default_rng(0)
    made = []
    for i in range(6):
        sensor = sensors["s2-l2a"].select(("B02", "B03", "B04"))
        pixels = 0.1 + 0.01 * rng.normal(size=(3, 48, 48)) + 0.002 * np.arange(48)
        window = Window.of((48, 48), (10.0, 0.0, 500000.0 + 1000 * i, 0.0, -10.0, 5200000.0), "EPSG:32632")
        split = "train" if i < 4 else "held-out"
        made.append(Tile(Sample(pixels.astype(np.float32), sensor, window), f"p{i}", split, "synthetic", "none"))
    return write_tiles(tmp_path_factory.mktemp("data") / "tiles", made)


def armillary(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "armillary", "train", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def whole(tiles: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    folder = tmp_path_factory.mktemp("whole") / "run"
    done = armillary("copernicus-fm", "-o", folder, "--data", tiles, "--json", *SMALL)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # neither Fabric nor a data loader says anything of its own
    return folder, json.loads(done.stdout)


def test_one_command_leaves_weights_pictures_and_a_falling_held_out_loss(whole: tuple[Path, dict]) -> None:
    folder, said = whole
    assert said["held_out"]["loss"] < said["before"]["loss"]
    assert said["steps"] == 4
    assert all(Path(f).exists() for f in said["files"])
    assert len(load_file(folder / "weights.safetensors")) > 50


def test_stopped_by_a_signal_and_resumed_is_uninterrupted_to_the_byte(
    whole: tuple[Path, dict], tiles: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "armillary", "train", "copernicus-fm", "-o", str(folder), "--data", str(tiles)]
    process = subprocess.Popen([*command, *SMALL], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("before the first step"):
            os.kill(process.pid, signal.SIGTERM)
            break
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "run again with --resume" in said
    assert not (folder / "weights.safetensors").exists()
    done = armillary("copernicus-fm", "-o", folder, "--data", tiles, "--resume", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "4 steps done" in done.stdout
    assert (folder / "journal.jsonl").read_bytes() == (whole[0] / "journal.jsonl").read_bytes()
    one, two = (load_file(f / "weights.safetensors") for f in (folder, whole[0]))
    assert all(torch.equal(one[k], two[k]) for k in two)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"recipe": "copernicus"}, "no recipe is called 'copernicus'; known are copernicus-fm"),
        ({"overrides": ["optim.rate=1"]}, r"there is no key optim\.rate"),
        ({"config": Path("absent.yaml")}, r"absent\.yaml cannot be read"),
        ({"data": Path("absent")}, "absent is no folder"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    words: dict[str, object], said: str, tmp_path: Path
) -> None:
    facts = {"recipe": "copernicus-fm", "overrides": [], "output": tmp_path / "run"} | words
    with pytest.raises(ArmillaryError, match=said) as caught:
        train(facts.pop("recipe"), *facts.pop("overrides"), **facts)
    assert caught.value.exit_code == 2
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("recipe", "said"), [("softcon", "no model is called 'nobody'"), ("cop-gen-nano", "no key on")]
)
def test_on_names_the_encoder_that_goes_on_and_belongs_to_recipes_that_take_one(
    recipe: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(ArmillaryError, match=said):
        train(recipe, output=tmp_path / "run", on="nobody")


def test_help_names_every_recipe_with_what_it_does_and_the_data_it_reads() -> None:
    said = " ".join(armillary("--help").stdout.replace("│", " ").split())
    for name, recipe in RECIPES.items():
        assert f"{name}: {recipe.line}" in said
    assert "for softcon, supcon, info-nce, siglip, mae of SSL4EO-S12 as well" in said
