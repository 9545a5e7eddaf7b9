import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from armillary.errors import BadInput
from armillary.models.field import Field, cosines
from armillary.models.path import OURS
from armillary.models.strand import Strand
from armillary.sample.strands import Strands
from armillary.train.field import estimate

FINE, COARSE = Strand("fine", 1, 8, 8, 2), Strand("coarse", 1, 4, 4, 2)
MIX = torch.tensor([[2.0, 0.0], [1.2, 0.5]])
"""Of the two strands, in every frequency that both have; white."""


def world(items: int, *, fine: bool = True, coarse: bool = True, seed: int = 0) -> tuple[Strands, list[str]]:
    """Places of a known white field, some strands unknown."""
    rng = torch.Generator().manual_seed(seed)
    waves = torch.einsum("ij,bjhw->bihw", MIX, torch.randn(items, 2, 8, 8, generator=rng))
    a = cosines(8).mT @ waves[:, :1] @ cosines(8) + 3
    b = cosines(4).mT @ waves[:, 1:, :4, :4] @ cosines(4) - 1
    present = torch.tensor([[fine, coarse]]).expand(items, 2)
    known = {"fine": torch.full_like(a, fine, dtype=torch.bool), "coarse": torch.full_like(b, coarse, dtype=torch.bool)}
    x: dict[str, Tensor] = {"fine": a * fine, "coarse": b * coarse}
    return Strands(x, known, present), [f"{seed}-{i}" for i in range(items)]


def fresh() -> Field:
    made = Field((FINE, COARSE), OURS)
    made.reset_parameters()
    return made


def covariance(made: Field) -> Tensor:
    return made.factor @ made.factor.mT


def test_means_and_covariances_of_a_known_field_are_found() -> None:
    made = fresh()
    estimate(made, [world(600)])
    assert_close(made.mean, torch.tensor([3.0, -1.0]), atol=0.1, rtol=0)
    assert_close(covariance(made)[1:4], (MIX @ MIX.mT).expand(3, 2, 2), atol=0.35, rtol=0)


def test_places_that_lack_a_strand_help() -> None:
    made = fresh()
    estimate(made, [world(200, seed=1), world(300, fine=False, seed=2), world(300, coarse=False, seed=3)])
    assert_close(covariance(made)[1:4], (MIX @ MIX.mT).expand(3, 2, 2), atol=0.5, rtol=0)
    assert_close(made.mean, torch.tensor([3.0, -1.0]), atol=0.15, rtol=0)


def test_a_mean_follows_the_places_that_show_both() -> None:
    strands, places = world(100)
    bright = {k: v + 10 for k, v in world(100, coarse=False, seed=1)[0].x.items() if k == "fine"}
    alone, others = world(100, coarse=False, seed=1)
    shifted = Strands({**alone.x, **bright}, alone.known, alone.present)
    made, both = fresh(), fresh()
    estimate(made, [(strands, places), (shifted, others)])
    estimate(both, [(strands, places)])
    assert 7 < made.mean[0] < 9
    assert made.mean[1] > both.mean[1] + 0.02  # coarse goes with fine, so where fine is bright it would be too


def test_many_looks_at_one_place_are_one_witness() -> None:
    one, _ = world(40)
    twice = Strands(
        *({k: v.repeat(2, 1, 1, 1) for k, v in part.items()} for part in (one.x, one.known)), one.present.repeat(2, 1)
    )
    a, b = fresh(), fresh()
    estimate(a, [(one, ["here"] * 40)])
    estimate(b, [(twice, ["here"] * 80)])
    assert_close(a.factor, b.factor, atol=1e-4, rtol=1e-4)


def test_what_never_changed_tells_nothing_when_it_does() -> None:
    strands, places = world(100)
    still = Strands({**strands.x, "coarse": torch.full_like(strands.x["coarse"], -1.0)}, strands.known, strands.present)
    made = fresh()
    estimate(made, [(still, places)])
    x = {0: torch.zeros(1, 1, 8, 8), 1: torch.ones(1, 1, 4, 4)}
    _, clean = made(x, torch.tensor([[1000.0, 0.0]]), None)
    assert (clean[0] - 3).abs().max() < 1


def test_nothing_seen_is_refused() -> None:
    with pytest.raises(BadInput, match="no place showed any strand whole"):
        estimate(fresh(), [world(3, fine=False, coarse=False)])
