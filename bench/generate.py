"""A sample of a joint diffusion model, ours beside the released way, with the same weights.

Run: python bench/generate.py [--model small] [--items N] [--rounds N] [--threads N]
     --model is small, nano-like, or a name of `models.cop_gen_sizes.COP_GEN` (cop-gen-beta is the paper's; 1.2 GB;
     cop-gen-nano computes its Gaussian field in every way)

The released way: float32, fifty askings, single steps of third order, attention in float32, ignored strands shown as
new noise. Ours: bfloat16, twenty askings, multistep of second order; and with as few askings as leave no larger errors
than the released way does. Half of the strands are generated, a quarter is given, a quarter is ignored. Random weights:
time does not depend on them. Tokens of given strands attend to generated ones, so they change with every step and
cannot be computed once.

Errors, closed form: normal values are sampled with an exact denoiser; printed are the largest relative errors of their
deviation for variances of 0.001 to 100 and of 0.1 to 10. Rounds are interleaved; seconds are medians of this process's
CPU time with one thread, of the clock with more.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from armillary.generate.condition import Ignoring, Roles
from armillary.generate.denoiser import Denoise
from armillary.generate.moves import walk
from armillary.generate.noise import noise, seeds_of
from armillary.generate.sampler import final, sample
from armillary.generate.solver import FAST, RELEASED_SOLVER, Solver
from armillary.models.cop_gen import CopGen
from armillary.models.cop_gen_sizes import COP_GEN, CopGenConfig
from armillary.models.path import OURS, RELEASED, Path
from armillary.models.precision import cast
from armillary.models.strand import Strand

STRANDS = tuple(Strand(s, channels=4, height=16, width=16, patch=2) for s in ("dem", "s1-rtc", "s2-l1c", "s2-l2a"))
SIZES: Mapping[str, CopGenConfig] = {
    "small": CopGenConfig(STRANDS, width=256, depth=8, heads=4),
    "nano-like": CopGenConfig(STRANDS, width=384, depth=12, heads=6),
    **COP_GEN,
}
VARIANCES = torch.logspace(-3, 2, 41, dtype=torch.float64)
MIDDLE = (VARIANCES > 0.09) & (VARIANCES < 11)


@dataclass(frozen=True)
class Way:
    """How a sample is made: precision, path, solver, and what becomes of ignored strands."""

    precision: str
    path: Path
    solver: Solver
    ignoring: Ignoring

    @property
    def errors(self) -> tuple[float, float]:
        """Largest relative errors of the deviation of normal values, exactly denoised: of all variances, of some."""
        moves = self.solver.moves(self.path)

        def expect(x: Mapping[str, torch.Tensor], k: int) -> dict[str, torch.Tensor]:
            t = torch.tensor(moves[k].time, dtype=torch.float64)
            a, s = self.path.alpha(t), self.path.sigma(t)
            return {"z": (a * VARIANCES / (a**2 * VARIANCES + s**2)).view(-1, 1, 1, 1) * x["z"]}

        *_, (_, x, _) = walk(moves, {"z": torch.ones(len(VARIANCES), 1, 1, 1, dtype=torch.float64)}, expect)
        off = (x["z"].flatten() / VARIANCES.sqrt() - 1).abs()
        return float(off.max()), float(off[MIDDLE].max())

    def no_worse_than(self, other: "Way") -> bool:
        """Whether neither error is larger."""
        return all(a <= b for a, b in zip(self.errors, other.errors, strict=True))


def ways() -> Mapping[str, Way]:
    """Name -> way; the first is the rival's."""
    released = Way("float32", RELEASED, RELEASED_SOLVER, "released")
    ours = Way("bfloat16", OURS, FAST, "noise at T")
    steps = next(n for n in range(2, 51) if replace(ours, solver=Solver(steps=n)).no_worse_than(released))
    return {
        "released": released,
        "ours, float32": replace(ours, precision="float32"),
        "ours": ours,
        "ours, left out": replace(ours, ignoring="left out"),
        "ours, equal error": replace(ours, solver=Solver(steps=steps)),
        "ours, both": replace(ours, ignoring="left out", solver=Solver(steps=steps)),
    }


def work(model: CopGen, way: Way, items: int) -> Callable[[], None]:
    """One batch of samples."""
    shapes = {s.name: (s.channels, s.height, s.width) for s in model.config.strands}
    names = tuple(shapes)
    quarter = max(1, len(names) // 4)
    roles = Roles.asking(names, names[2 * quarter :], names[quarter : 2 * quarter], way.ignoring)
    seeds = seeds_of(0, items)
    given = {s: noise(seeds, s, shapes[s]) for s in roles.named("given")}
    denoise: Denoise = cast(model, way.precision)

    def run() -> None:
        with torch.inference_mode():
            final(sample(denoise, way.path, roles, given, shapes, seeds, way.solver))

    return run


def measure(runs: Mapping[str, Callable[[], None]], rounds: int, clock: Callable[[], float]) -> dict[str, list[float]]:
    """Seconds of each, in turns; each begins once unmeasured."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            begun = clock()
            run()
            seconds[name].append(clock() - begun)
    return seconds


def lines(seconds: Mapping[str, Sequence[float]], found: Mapping[str, Way], items: int) -> list[str]:
    """One line per way."""
    rival = seconds["released"]
    said = []
    for name, taken in seconds.items():
        way, ratios = found[name], sorted(r / t for r, t in zip(rival, taken, strict=True))
        said.append(
            f"{name:<18}{way.precision:<9} {way.solver.method:<8}{way.solver.steps:>3} askings "
            f"{statistics.median(taken) / items:9.3f} s/sample {statistics.median(ratios):7.2f}x "
            f"[{ratios[0]:.2f} to {ratios[-1]:.2f}]   errors {100 * way.errors[0]:5.1f} % {100 * way.errors[1]:5.1f} %"
        )
    return said


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="small", choices=tuple(SIZES))
    parser.add_argument("--items", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    model = CopGen(SIZES[given.model]).eval()
    rival = CopGen(replace(SIZES[given.model], exact=True)).eval()
    found = ways()
    runs = {name: work(rival if name == "released" else model, way, given.items) for name, way in found.items()}
    print(
        f"{given.model}: {sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters, "
        f"{model.config.tokens} tokens, {given.items} at once, {given.threads} threads, torch {torch.__version__}"
    )
    clock = time.process_time if given.threads == 1 else time.perf_counter
    measure({name: runs[name] for name in ("released", "ours")}, 1, clock)
    print(*lines(measure(runs, given.rounds, clock), found, given.items), sep="\n")


if __name__ == "__main__":
    main()
