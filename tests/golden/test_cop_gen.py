"""The joint diffusion transformer against numbers that the published code gives with weights of a stated formula."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from armillary.models.cop_gen import CopGen, CopGenConfig, Strand, cop_gen_of
from armillary.models.weights import official_state
from armillary.nn.fourier import time_waves

GOLDEN = json.loads((Path(__file__).parent / "cop_gen.json").read_text())
NAMES = ("first", "second", "third")
CASES = {"triffuser": False, "triffuser_mlp_time": True}


def sine(shape: tuple[int, ...], slope: float, offset: float) -> Tensor:
    n = torch.arange(int(torch.tensor(shape).prod()), dtype=torch.float64)
    return torch.sin(slope * n + offset).float().reshape(shape)


def config(case: str) -> CopGenConfig:
    strands = tuple(Strand(name, channels=2, height=4, width=4, patch=2) for name in NAMES)
    return CopGenConfig(strands, width=8, depth=4, heads=2, mlp_time=CASES[case])


def golden_state(case: str) -> dict[str, Tensor]:
    """The recipe's weights: 0.2 sin(0.37 n + 0.11 k), and 1 + 0.1 sin(...) for the weights of norms."""
    shapes = {k: tuple(v.shape) for k, v in official_state(CopGen(config(case))).items()}
    state = {}
    for k, key in enumerate(GOLDEN[case]["keys"]):
        wave = sine(shapes[key], 0.37, 0.11 * k)
        state[key] = 1 + 0.1 * wave if "norm" in key and key.endswith("weight") else 0.2 * wave
    return state


def given() -> tuple[dict[str, Tensor], Tensor]:
    """x_j = cos(0.21 n + j), and the times of both items."""
    x = {name: sine((2, 2, 4, 4), 0.21, j + torch.pi / 2) for j, name in enumerate(NAMES)}
    return x, torch.tensor(GOLDEN["triffuser"]["t"]).T


@pytest.mark.parametrize("case", CASES)
def test_the_keys_are_those_of_the_published_code(case: str) -> None:
    assert sorted(official_state(CopGen(config(case)))) == sorted(GOLDEN[case]["keys"])


@pytest.mark.parametrize("case", CASES)
def test_the_forward_pass_equals_the_published_code(case: str) -> None:
    model = cop_gen_of(config(case), golden_state(case), source="golden")
    with torch.inference_mode():
        out = model(*given())
    assert tuple(out) == NAMES
    for name, first, mean in zip(NAMES, GOLDEN[case]["out_first8"], GOLDEN[case]["out_absmean"], strict=True):
        assert_close(out[name].flatten()[:8], torch.tensor(first), atol=1e-6, rtol=0)
        assert_close(out[name].abs().mean(), torch.tensor(mean), atol=1e-6, rtol=0)


@pytest.mark.parametrize("time", GOLDEN["time_embedding_dim8"])
def test_the_waves_of_a_time_equal_the_published_code(time: str) -> None:
    want = torch.tensor(GOLDEN["time_embedding_dim8"][time])
    assert_close(time_waves(torch.tensor(float(time)), 8), want, atol=1e-6, rtol=0)
