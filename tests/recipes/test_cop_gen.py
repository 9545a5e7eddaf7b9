from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from armillary.errors import BadInput, SceneNotFound
from armillary.generate.joint import joint_of
from armillary.models.cop_gen import COP_GEN, CopGen, cop_gen_of
from armillary.models.path import OURS
from armillary.models.weights import read_tensors
from armillary.recipes.cop_gen import NANO, THUMB, WORLD, Collate, cop_gen, pairs_of, thumbs_of, world_of
from armillary.sample.aired import MARK
from armillary.sample.stream import Stream
from armillary.sample.tiles import Tiles, packaged
from armillary.sample.world.world import World
from armillary.train.run import run

QUICK = replace(WORLD, steps=1, batch_size=2, held_out_batches=1, accelerator="cpu", checkpoint_every=1, field_draws=4)


def test_a_run_on_the_synthetic_world_leaves_weights_that_load_and_panels(tmp_path: Path) -> None:
    steps = list(run(cop_gen(QUICK, world_of(None, QUICK)), tmp_path / "run"))
    assert steps[-1].step is not None
    assert torch.isfinite(torch.tensor(steps[-1].step.loss))
    cop_gen_of(COP_GEN["cop-gen-nano"], read_tensors(tmp_path / "run" / "weights.safetensors"), source="run")
    assert (tmp_path / "run" / "pictures" / "panels-after.png").stat().st_size > 10_000


def test_synthetic_places_may_be_learned_from_beside_real_ones_and_are_never_held_out() -> None:
    folder = packaged("train").folder
    real, mixed = (pairs_of(folder, replace(NANO, world=share, air=0)) for share in (0.0, 2.0))
    assert len(mixed.train) == 3 * len(real.train)
    assert mixed.held_out.checksum() == real.held_out.checksum()
    collate, draw = Collate(joint_of("cop-gen-nano").codes, turns=True, jitter=0.3), next(iter(Stream(mixed.train, 4)))
    assert all(torch.isfinite(x).all() for x in collate(draw).x.values())


def test_surfaces_under_synthetic_air_may_be_learned_from_as_well_and_are_never_held_out() -> None:
    folder = packaged("train").folder
    real, more = (pairs_of(folder, replace(NANO, world=0, air=share)) for share in (0, 1))
    keys = [more.train.key(i) for i in range(len(more.train))]
    under = [i for i, key in enumerate(keys) if key.startswith(MARK)]
    assert 0 < len(under) < len(keys)
    assert len(more.train) - len(under) >= len(real.train)
    assert more.held_out.checksum() == real.held_out.checksum()
    found = [more.train.draw(i, np.random.default_rng(0)) for i in under]
    assert any({"s2-l1c", "s2-l2a"} <= samples.keys() for samples in found)


def test_a_folder_without_surfaces_needs_no_air(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = packaged("train").folder
    lacking = tuple(row for row in Tiles(folder, "train").rows if row.sensor != "s2-l2a")
    monkeypatch.setattr(Tiles, "rows", lacking)
    assert len(pairs_of(folder, replace(NANO, world=0)).train) > 0


def test_a_run_begun_from_another_goes_on_beside_its_field(tmp_path: Path) -> None:
    list(run(replace(cop_gen(QUICK, world_of(None, QUICK)), panels=None), tmp_path / "one"))
    further = replace(QUICK, begin=str(tmp_path / "one"))
    network = cop_gen(further, world_of(None, further)).build().model
    assert isinstance(network, CopGen)
    before = cop_gen_of(COP_GEN["cop-gen-nano"], read_tensors(tmp_path / "one" / "weights.safetensors"), source="one")
    assert all(torch.equal(a.bias, b.bias) for a, b in zip(network.heads, before.heads, strict=True))
    assert any(head.bias.abs().max() > 0 for head in network.heads)
    assert network.field is not None
    assert before.field is not None
    assert torch.equal(network.field.factor, before.field.factor)  # estimated once more, of the same places


def test_a_path_that_is_not_the_fields_is_refused() -> None:
    other = replace(QUICK, denoise=replace(QUICK.denoise, path=OURS))
    with pytest.raises(BadInput, match="cop-gen-nano answers for"):
        cop_gen(other, world_of(None, other)).build()


def test_all_strands_of_an_item_are_turned_alike() -> None:
    draw = next(iter(islice(Stream(World(50, 1), 4, seed=3), 1)))
    codes = joint_of("cop-gen-nano").codes
    still, turned = Collate(codes, turns=False)(draw), Collate(codes, turns=True)(draw)
    assert torch.equal(still.present, turned.present)
    assert any(not torch.equal(still.x["dem"][i], turned.x["dem"][i]) for i in range(4))
    for i in range(4):
        ways = [
            (k, m)
            for k in range(4)
            for m in (False, True)
            if torch.equal(_turned(still.x["dem"][i], k, m), turned.x["dem"][i])
        ]
        assert any(torch.equal(_turned(still.x["s2-l1c-10m"][i], *w), turned.x["s2-l1c-10m"][i]) for w in ways)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SceneNotFound, match="give --data a folder of flood sites"):
        thumbs_of(tmp_path / "none", THUMB)


def test_the_world_takes_no_folder(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="a synthetic world needs none"):
        world_of(tmp_path, WORLD)


def _turned(x: torch.Tensor, quarters: int, mirrored: bool) -> torch.Tensor:
    out = torch.rot90(x, quarters, (1, 2))
    return out.flip(-1) if mirrored else out
