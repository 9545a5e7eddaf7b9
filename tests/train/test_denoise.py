from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from armillary.errors import BadInput
from armillary.generate.gaussian import Gaussian, alike
from armillary.models.path import OURS, RELEASED, UNITS, Path
from armillary.sample.strands import Strands
from armillary.sample.stream import Draw
from armillary.train.config import from_plain, to_plain
from armillary.train.denoise import RELEASED_CONFIG, DenoiseConfig, Denoising, noise_like
from armillary.train.times import Times

NAMES = ("a", "b")
RHO = 0.8
SIDE = 10
PATHS = (OURS, RELEASED, Path("scaled-linear", "v"), Path(prediction="x0"))


def places(n: int, seed: int = 0) -> Strands:
    """Synthetic numbers: two strands of variance 1, correlated by RHO at each pixel."""
    z = torch.randn(2, n, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
    x = {"a": z[0], "b": RHO * z[0] + (1 - RHO**2) ** 0.5 * z[1]}
    known = {s: torch.ones_like(v, dtype=torch.bool) for s, v in x.items()}
    return Strands(x, known, torch.ones(n, 2, dtype=torch.bool))


class Bent(nn.Module):
    """A denoiser plus learned multiples of functions of what is seen, all 0 at birth."""

    def __init__(self, start: Gaussian) -> None:
        super().__init__()
        self.start = start
        self.bends = nn.Parameter(torch.zeros(2, 6))
        self.seen: list[tuple[Mapping[str, Tensor], Tensor, Tensor]] = []

    def forward(self, x: Mapping[str, Tensor], times: Tensor, present: Tensor) -> dict[str, Tensor]:
        self.seen.append((x, times, present))
        said = self.start(x, times)
        a, b = (v.flatten() for v in x.values())
        t, u = (times / UNITS).T.repeat_interleave(SIDE * SIDE, dim=1)
        functions = torch.stack((torch.ones_like(a), a, b, a * t, b * u, a * a * u))
        return {s: v + (row @ functions).view_as(v) for (s, v), row in zip(said.items(), self.bends, strict=True)}


def gradient(model: Bent, config: DenoiseConfig, n: int = 400) -> Tensor:
    """Of the mean loss, at birth."""
    terms = Denoising(model, config, never).terms(places(n), range(n))
    sum((t.sum / t.count for t in terms.values()), torch.zeros(())).backward()
    assert model.bends.grad is not None
    return model.bends.grad


def never(_: Draw) -> Strands:
    raise AssertionError


@pytest.fixture
def draws() -> tuple[Denoising, Draw]:
    data = places(12)
    config = DenoiseConfig(weights={"b": 0.5})

    def collate(draw: Draw) -> Strands:
        at = [int(k) for k in draw.keys]
        return Strands(
            {s: v[at] for s, v in data.x.items()}, {s: v[at] for s, v in data.known.items()}, data.present[at]
        )

    draw = Draw(0, tuple(map(str, range(12))), {}, {}, tuple(range(100, 112)))
    return Denoising(Bent(Gaussian(alike(0.5, 2), OURS)), config, collate), draw


@pytest.mark.parametrize("path", PATHS)
def test_the_exact_denoiser_is_where_learning_ends(path: Path) -> None:
    config = DenoiseConfig(path, Times(asked=0.0) if path.schedule == "zero-snr" else RELEASED_CONFIG.times)
    exact, wrong = (gradient(Bent(Gaussian(alike(rho, 2), path)), config).abs().max() for rho in (RHO, 0.4))
    assert float(exact) < 0.04
    assert float(wrong) > 2 * float(exact)
    assert float(wrong) > 0.02


def test_the_exact_denoiser_is_where_learning_ends_when_places_are_shown_as_asked() -> None:
    config = DenoiseConfig(times=Times(asked=1.0, left_out=0.0))
    assert float(gradient(Bent(Gaussian(alike(RHO, 2), OURS)), config).abs().max()) < 0.04


def test_a_linear_model_learns_the_exact_denoiser_of_one_time() -> None:
    class Linear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(2, 2))

        def forward(self, x: Mapping[str, Tensor], times: Tensor, present: Tensor) -> dict[str, Tensor]:
            stacked = torch.stack([v.flatten() for v in x.values()])
            return {s: row.view_as(x[s]) for s, row in zip(x, self.weight @ stacked, strict=True)}

    model, n = Linear(), 60
    objective = Denoising(model, DenoiseConfig(RELEASED, Times(at_0=0, at_T=0, asked=0, steps=1)), never)
    optimiser = torch.optim.LBFGS(model.parameters(), line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = sum((t.sum / t.count for t in objective.terms(places(n), range(n)).values()), torch.zeros(()))
        value.backward()
        return value

    optimiser.step(loss)
    eye = {"a": torch.tensor([1.0, 0.0]).view(2, 1, 1, 1), "b": torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)}
    exact = Gaussian(alike(RHO, 2), RELEASED)(eye, torch.full((2, 2), UNITS))
    assert_close(model.weight.data, torch.stack([v.flatten() for v in exact.values()]), atol=0.03, rtol=0)


def test_two_processes_learn_what_one_does(draws: tuple[Denoising, Draw]) -> None:
    objective, draw = draws
    whole = objective(draw)
    for cuts in (2, 3, 5):
        parts = [objective(part) for part in draw.split(cuts)]
        for s, term in whole.items():
            assert_close(term.sum, sum((p[s].sum for p in parts), torch.zeros(())))
            assert float(term.count) == sum(float(p[s].count) for p in parts)


def test_counts_are_known_beforehand_and_weights_are_the_configurations(draws: tuple[Denoising, Draw]) -> None:
    objective, draw = draws
    terms = objective(draw)
    assert objective.counts(draw) == {s: float(t.count) for s, t in terms.items()}
    assert {s: t.weight for s, t in terms.items()} == {"a": 1.0, "b": 0.5}


def test_a_strand_shown_clean_is_shown_as_it_is_and_asks_for_nothing() -> None:
    model = Bent(Gaussian(alike(RHO, 2), OURS))
    data = places(500)
    terms = Denoising(model, DenoiseConfig(times=Times(at_0=0.3, asked=0.0)), never).terms(data, range(500))
    ((x, times, _),) = model.seen
    for i, s in enumerate(NAMES):
        clean = times[:, i] == 0
        assert 0 < int(clean.sum()) < 500
        assert torch.equal(x[s][clean], data.x[s][clean])
        assert float(terms[s].count) == 500 - int(clean.sum())


def test_absent_strands_are_masked_count_nothing_and_show_nothing() -> None:
    data, model = places(50), Bent(Gaussian(alike(RHO, 2), OURS))
    present = data.present.clone()
    present[:20, 1] = False
    other = {**data.x, "b": data.x["b"].clone()}
    other["b"][:20] += 100
    known = {**data.known, "b": data.known["b"] & present[:, 1, None, None, None]}
    objective = Denoising(model, DenoiseConfig(times=Times(at_0=0, asked=0)), never)
    one, two = (objective.terms(Strands(x, known, present), range(50)) for x in (data.x, other))
    assert float(one["b"].count) == 30
    for s in NAMES:
        assert_close(one[s].sum, two[s].sum)
    _, times, shown = model.seen[0]
    assert torch.equal(shown, present)
    assert bool((times[:20, 1] == UNITS).all())


def test_unknown_numbers_ask_for_nothing() -> None:
    n = 6
    x = {s: torch.randn(n, 2, 3, 3, generator=torch.Generator().manual_seed(i)) for i, s in enumerate(NAMES)}
    known = {s: torch.ones_like(v, dtype=torch.bool) for s, v in x.items()}
    known["a"][:, :, 0] = False

    class Told(nn.Module):
        said = 0.0

        def forward(self, x: Mapping[str, Tensor], times: Tensor, present: Tensor) -> dict[str, Tensor]:
            out = {s: torch.zeros_like(v) for s, v in x.items()}
            out["a"][:, :, 0] = self.said
            return out

    model = Told()
    objective = Denoising(model, DenoiseConfig(), never)
    data = Strands(x, known, torch.ones(n, 2, dtype=torch.bool))
    before = objective.terms(data, range(n))["a"].sum
    model.said = 1e3
    assert torch.equal(objective.terms(data, range(n))["a"].sum, before)
    nothing = replace(data, known={**known, "a": torch.zeros_like(known["a"])})
    assert float(objective.terms(nothing, range(n))["a"].count) == 0


def test_the_noise_of_an_item_is_its_own_and_standard_normal() -> None:
    x = {"a": torch.zeros(300, 2, 4, 4), "b": torch.zeros(300, 1, 1, 1)}
    noise = noise_like(x, range(300))
    alone = noise_like({s: v[:1] for s, v in x.items()}, (17,))
    assert all(torch.equal(noise[s][17], alone[s][0]) for s in x)
    assert (float(noise["a"].mean()), float(noise["a"].std())) == pytest.approx((0, 1), abs=0.03)


def test_configuration_to_plain_values_and_back_is_equal() -> None:
    config = DenoiseConfig(RELEASED, weights={"dem": 2.0})
    assert from_plain(DenoiseConfig, to_plain(config), source="test") == config


def test_weights_of_unknown_strands_are_refused() -> None:
    with pytest.raises(BadInput, match="weights are given to z"):
        Denoising(Bent(Gaussian(alike(RHO, 2), OURS)), DenoiseConfig(weights={"z": 1.0}), never).terms(
            places(2), (0, 1)
        )
