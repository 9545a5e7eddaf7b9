"""Holes against the dense conditional mean of a Gaussian."""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from armillary.models.cop_gen import CopGen
from armillary.models.cop_gen_sizes import CopGenConfig
from armillary.models.field import Field
from armillary.models.holes import _products, filled
from armillary.models.path import PIXELS
from armillary.models.strand import Strand

FINE, COARSE, ONE = Strand("fine", 2, 8, 8, 2), Strand("coarse", 1, 4, 4, 2), Strand("one", 1, 1, 1, 1)


@pytest.fixture
def field() -> Field:
    """Channels that follow each other, less so at finer scales."""
    made = Field((FINE, COARSE, ONE), PIXELS)
    made.reset_parameters()
    draws = torch.randn(made.factor.shape, generator=torch.Generator().manual_seed(3))
    scales = 3 * 0.6 ** torch.arange(len(made.factor))[:, None, None]
    made.factor.copy_(scales * (0.4 * draws + 0.3 * torch.eye(draws.shape[-1])))
    made.mean.copy_(torch.tensor([0.5, -1.0, 2.0, 0.1]))
    return made


def flat(x: Mapping[int, Tensor]) -> Tensor:
    return torch.cat([v.flatten(1) for v in x.values()], dim=1)


def like(values: Tensor, of: Mapping[int, Tensor]) -> dict[int, Tensor]:
    parts = values.split([v[0].numel() for v in of.values()], dim=1)
    return {i: part.view(-1, *v.shape[1:]) for (i, v), part in zip(of.items(), parts, strict=True)}


@pytest.mark.parametrize("side", [8, 16])
def test_unknown_numbers_are_the_conditional_mean(field: Field, side: int) -> None:
    shapes = {0: torch.zeros(1, 2, side, side), 1: torch.zeros(1, 1, side // 2, side // 2), 2: torch.zeros(1, 1, 1, 1)}
    covariance, precision = _products(field, shapes)
    n = flat(shapes).shape[1]
    c = flat(covariance(like(torch.eye(n), shapes))).double()
    torch.testing.assert_close(
        flat(precision(like(c.float(), shapes))).double(), torch.eye(n).double(), atol=2e-3, rtol=0
    )
    mean = flat({i: field.mean[list(field.channels[i])][:, None, None].expand(v.shape) for i, v in shapes.items()})
    rng = torch.Generator().manual_seed(1)
    z = torch.randn(2, n, generator=rng, dtype=torch.float64) @ torch.linalg.cholesky(c).mT + mean
    known = torch.rand(2, n, generator=rng) > 0.3
    known[1, : side * side] = False  # a whole channel
    found = flat(filled(field, like(z.float(), shapes), like(known, shapes)))
    assert torch.equal(found[known], z.float()[known])
    for item in range(2):
        k, u = known[item], ~known[item]
        wanted = mean[0, u] + c[u][:, k] @ torch.linalg.solve(c[k][:, k], z[item, k] - mean[0, k])
        off = (found[item, u].double() - wanted).square().mean().sqrt()
        assert off < 0.1 * (z[item, u] - wanted).square().mean().sqrt()


def test_what_is_known_everywhere_or_nowhere_is_left_alone(field: Field) -> None:
    x = {0: torch.randn(1, 2, 8, 8), 1: torch.randn(1, 1, 4, 4)}
    same = filled(field, x, {i: torch.ones_like(v, dtype=torch.bool) for i, v in x.items()})
    assert all(torch.equal(same[i], x[i]) for i in x)
    none = filled(field, x, {i: torch.zeros_like(v, dtype=torch.bool) for i, v in x.items()})
    assert float((none[0][0, 0] - 0.5).abs().max()) < 1e-6


def test_a_model_fills_holes_item_by_item_and_leaves_absent_strands_blank() -> None:
    config = CopGenConfig((FINE, COARSE), width=32, depth=1, heads=2, any_side=True, field=PIXELS)
    model = CopGen(config)
    assert model.field is not None
    model.field.factor[:, 2, 0] = 0.9  # the coarse strand follows a fine channel
    model.field.mean.copy_(torch.tensor([0.5, 0.5, 0.5]))
    x = {"fine": torch.full((2, 2, 8, 8), 2.0), "coarse": torch.full((2, 1, 4, 4), float("nan"))}
    x["coarse"][1, 0, :2] = 2.0
    known = {s: torch.isfinite(v) for s, v in x.items()}
    found = model.completed(x, known)
    assert torch.equal(found["fine"], x["fine"])
    assert float(found["coarse"][0].abs().max()) == 0
    assert torch.equal(found["coarse"][1, 0, :2], x["coarse"][1, 0, :2])
    assert float(found["coarse"][1, 0, 2:].min()) > 0.5
    assert torch.equal(model.completed(x, known)["coarse"], found["coarse"])
    assert model.completed({}, {}) == {}
    plain = CopGen(CopGenConfig((FINE, COARSE), width=32, depth=1, heads=2, any_side=True))
    assert float(plain.completed(x, known)["coarse"][1, 0, 2:].abs().max()) == 0
