"""Write docs/results/generation-roles.md and .csv: what is lost of a given strand when another is ignored, and how.

    python studies/gaussian_roles.py [--side 400] [--page docs/results/generation-roles.md]

Three synthetic strands of variance 1, each correlated with each other by rho; the second is generated from the first
and the third is ignored. The denoiser is exact, so whatever is wrong is the sampler's.
"""

import argparse
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as File

import torch

from armillary.generate.condition import Ignoring, Roles
from armillary.generate.gaussian import Gaussian, alike
from armillary.generate.noise import noise
from armillary.generate.sampler import final, sample
from armillary.generate.solver import FAST, RELEASED_SOLVER, Solver
from armillary.models.path import OURS, RELEASED, Path
from comparison import write, write_rows

RHOS = (0.5, 0.8, 0.95)
STRANDS = ("a", "b", "c")
DDIM = Solver("euler", 50, "time")

WAYS: tuple[tuple[str, Path, Solver, tuple[Ignoring, ...]], ...] = (
    ("released path, DDIM, 50 steps", RELEASED, DDIM, ("released", "noise at T", "jointly")),
    ("released path and sampler, 50 steps", RELEASED, RELEASED_SOLVER, ("released", "noise at T", "jointly")),
    ("ours, 20 steps", OURS, FAST, ("noise at T", "jointly", "left out")),
)

MEASURED: Mapping[tuple[float, str], tuple[float, float, float]] = {
    (0.5, "released"): (0.318, 0.637, 0.738),
    (0.5, "noise at T"): (0.459, 0.688, 0.897),
    (0.5, "jointly"): (0.473, 0.697, 0.921),
    (0.8, "released"): (0.428, 0.265, 0.451),
    (0.8, "noise at T"): (0.772, 0.328, 0.916),
    (0.8, "jointly"): (0.760, 0.333, 0.912),
    (0.95, "released"): (0.478, 0.075, 0.301),
    (0.95, "noise at T"): (0.931, 0.084, 0.936),
    (0.95, "jointly"): (0.928, 0.083, 0.949),
}
"""Slope, conditional and marginal variance of the released way as measured before this project, by DDIM in 50 steps."""

HEAD = """# Roles: what an ignored strand costs

`python studies/gaussian_roles.py` wrote this page. Synthetic numbers, no model: three strands of variance 1, each pair
correlated by rho, and the *exact* denoiser of them. The second strand is generated from the first, the third is
ignored; the truth is slope rho, conditional variance 1 - rho² and marginal variance 1. {n} samples each; about
{chance:.3f} of every figure is chance.

- *released*: the ignored strand is shown as new noise at every step, at time 0: the network is told that it is clean.
  This is what the released COP-GEN-Beta and COP-GEN samplers do.
- *noise at T*: shown as noise, at time T. *jointly*: generated too, and dropped. *left out*: not shown.
- *released path*: 6.8 % of the signal is left at T, though sampling begins with pure noise. *ours*: nothing is left.

"measured before" are figures of the same experiment with the released way, from an independent program and a smaller
sample. Bold: further than 0.05 from the truth.

| rho | way | third strand | slope | conditional variance | marginal variance | measured before |
|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Found:
    """One row: what was asked, and slope, conditional and marginal variance."""

    rho: float
    way: str
    ignoring: Ignoring
    figures: tuple[float, float, float]

    @property
    def truth(self) -> tuple[float, float, float]:
        """What they should be."""
        return self.rho, 1 - self.rho**2, 1.0


def figures(rho: float, path: Path, solver: Solver, ignoring: Ignoring, side: int) -> tuple[float, float, float]:
    """Slope of the second strand on the first, its variance given the first, and its variance."""
    shapes = dict.fromkeys(STRANDS, (1, side, side))
    given = {"a": noise((1,), "truth", shapes["a"])}
    roles = Roles.asking(STRANDS, ("b",), ("a",), ignoring)
    exact = Gaussian(alike(rho), path, strands=STRANDS)
    b = final(sample(exact, path, roles, given, shapes, (0,), solver)).x["b"].flatten().double()
    a = given["a"].flatten().double()
    slope = (a * b).mean() / (a * a).mean()
    return float(slope), float((b - slope * a).var()), float(b.var())


def rows(side: int) -> Iterator[Found]:
    """Every row of the table."""
    for rho in RHOS:
        for way, path, solver, kinds in WAYS:
            for ignoring in kinds:
                yield Found(rho, way, ignoring, figures(rho, path, solver, ignoring, side))


def line(found: Found) -> str:
    """A row of the page."""
    pairs = zip(found.figures, found.truth, strict=True)
    said = [f"**{x:.3f}** ({true:.3g})" if abs(x - true) > 0.05 else f"{x:.3f} ({true:.3g})" for x, true in pairs]
    before = MEASURED.get((found.rho, found.ignoring)) if "DDIM" in found.way else None
    measured = " / ".join(f"{x:.3f}" for x in before) if before else ""
    return f"| {found.rho} | {found.way} | {found.ignoring} | {' | '.join(said)} | {measured} |"


def plain(found: Found) -> dict[str, object]:
    """A row of the CSV."""
    names = ("slope", "conditional_variance", "marginal_variance")
    figures = {n: round(x, 5) for n, x in zip(names, found.figures, strict=True)}
    truth = {f"true_{n}": round(x, 5) for n, x in zip(names, found.truth, strict=True)}
    return {"rho": found.rho, "way": found.way, "ignored": found.ignoring, **figures, **truth}


def main() -> None:
    """The page and its table."""
    said = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said.add_argument("--side", type=int, default=400)
    said.add_argument("--page", type=File, default=File("docs/results/generation-roles.md"))
    given = said.parse_args()
    begun = time.perf_counter()
    with torch.inference_mode():
        found = list(rows(given.side))
    n = given.side**2
    head = HEAD.format(n=n, chance=2 * (2 / n) ** 0.5)
    write(given.page, head + "\n".join(map(line, found)) + "\n")
    write_rows(given.page.with_suffix(".csv"), [plain(f) for f in found])
    print(f"{len(found)} rows in {time.perf_counter() - begun:.0f} s: {given.page}")


if __name__ == "__main__":
    main()
