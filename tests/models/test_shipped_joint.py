"""The joint models that ship: small, offline, and better than knowing nothing."""

import socket

import numpy as np
import pytest
import torch

import armillary as arm
from armillary.generate.joint import joint_of
from armillary.models.cop_gen import COP_GEN, CopGen
from armillary.models.weights import locate, read_facts, read_tensors
from armillary.models.zoo import DEFAULT_WEIGHTS
from armillary.sample.augment import Augment
from armillary.sample.sample import Sample
from armillary.sample.strands import Bands
from armillary.sample.tiles import packaged

JOINT = ("cop-gen-nano", "cop-gen-thumb")
BUDGET_MIB = 12


@pytest.fixture(scope="module")
def held_out() -> dict[str, Sample]:
    """A real place that nothing learned from, seen by four sensors."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    return dict(Augment(scale=(1.0, 1.0), size_px=64, flip=False)(packaged("held-out").draw(0, rng), rng))


def test_both_files_are_bfloat16_but_for_the_field_tell_their_licence_and_are_small_together() -> None:
    hrefs = [DEFAULT_WEIGHTS[name] for name in JOINT]
    assert sum(locate(h).stat().st_size for h in hrefs) <= BUDGET_MIB * 2**20
    for name, href in zip(JOINT, hrefs, strict=True):
        types = {(".field." in key, t.dtype) for key, t in read_tensors(href).items()}
        assert types == {(False, torch.bfloat16), (True, torch.float32)}
        facts = read_facts(href)
        assert (facts["name"], facts["licence"]) == (name, "CC-BY-SA-4.0")
        assert "synthetic and no measurement" in facts["attribution"]
        assert {"git", "data", "held_out", "steps"} <= set(facts)


@pytest.mark.parametrize("name", JOINT)
def test_they_load_without_a_connection_and_are_not_random(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    model = arm.load_model(name)
    assert isinstance(model, CopGen)
    assert model.config == COP_GEN[name]
    born = arm.load_model(name, weights=None).state_dict()
    assert all(torch.isfinite(v).all() for v in model.state_dict().values())
    assert any(float((v - born[k]).abs().max()) > 0.05 for k, v in model.state_dict().items())


@pytest.mark.parametrize(("given", "target"), [("s2-l1c", "s2-l2a"), ("s2-l2a", "s2-l1c")])
def test_a_held_out_place_is_told_better_than_by_the_middle_of_the_scale(
    held_out: dict[str, Sample], given: str, target: str
) -> None:
    made = arm.generate(held_out[given], to=[target], steps=1)[target]
    truth = held_out[target].pixels[list(held_out[target].sensor.index(made["band"].values.tolist()))]
    codes = [c for c in joint_of("cop-gen-nano").codes if isinstance(c, Bands)]
    middle = {b: m for c in codes if target in c.keys for b, m in zip(c.bands, c.mean, strict=True)}
    silent = np.array([middle[b] for b in made["band"].values])[:, None, None]
    assert np.abs(made.values - truth).mean() < np.abs(silent - truth).mean()
