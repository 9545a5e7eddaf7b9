"""Sampler: the one loop in which strands are generated. A generator of states; the caller decides what to keep."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.errors import BadInput
from armillary.generate.condition import Roles
from armillary.generate.denoiser import ByStrand, Denoise, Shapes
from armillary.generate.guidance import guided
from armillary.generate.moves import walk
from armillary.generate.noise import noise
from armillary.generate.solver import FAST, Solver
from armillary.generate.windows import Windowed
from armillary.models.path import UNITS, Path


@dataclass(frozen=True, eq=False)
class State:
    """Where the loop is.

    Args:
        step: counted from 0.
        time: of `x`, from 1 (noise) to the end of the path.
        x: wanted strands at that time, and given ones as they were given. After the last step, the sample.
        x0: what the wanted strands are expected to become, seen from the asking before.
    """

    step: int
    time: float
    x: ByStrand
    x0: ByStrand


def sample(
    denoise: Denoise,
    path: Path,
    roles: Roles,
    given: ByStrand,
    shapes: Shapes,
    seeds: Sequence[int],
    solver: Solver = FAST,
    device: torch.device | str = "cpu",
) -> Iterator[State]:
    """Generate, one item per seed; item i depends on what is given of it and on its seed alone.

    Args:
        denoise: what is asked.
        path: noise schedule, and what `denoise` predicts on it.
        roles: of every strand.
        given: the given strands, float[b c h w]; NaN is shown to the network as 0. They come back bit-identical.
        shapes: channels, rows and columns of every strand, in the network's order.
        seeds: one per item; see `noise.seeds_of`.
        solver: method and number of steps.
        device: where it is computed. Noise is the same on every device.

    Raises:
        BadInput: roles, shapes and given strands that do not fit each other.
    """
    check(roles, given, shapes, len(seeds))
    moves = solver.moves(path)
    held = {s: torch.nan_to_num(x.to(device)) for s, x in given.items()}
    begin = denoise.noise if isinstance(denoise, Windowed) else lambda seeds, s: noise(seeds, s, shapes[s])
    x = {s: begin(seeds, s).to(device) for s in roles.moving}
    hidden = {s: v.to(device) for s, v in instead(roles, shapes, seeds).items()}

    def expect(x: ByStrand, k: int) -> ByStrand:
        noisy = hidden
        if k and roles.ignoring == "released":
            noisy = {s: v.to(device) for s, v in instead(roles, shapes, seeds, asking=k).items()}
        said = guided(denoise, roles, {**noisy, **held, **x}, noisy, times_of(roles, moves[k].time, len(seeds), device))
        return expected(path, x, said, moves[k].time)

    step = 0
    for move, now, x0 in walk(moves, x, expect):
        if move.whole:
            wanted = roles.named("generate")
            found = {**{s: now[s] for s in wanted}, **given}
            yield State(step, move.to, {s: found[s] for s in shapes if s in found}, {s: x0[s] for s in wanted})
            step += 1


def final(states: Iterator[State]) -> State:
    """The last state: the sample.

    Raises:
        BadInput: there is none.
    """
    last = None
    for last in states:  # noqa: B007 (the last one is what is wanted)
        pass
    if last is None:
        raise BadInput("no step was taken, so there is no sample; give a solver with steps")
    return last


def expected(path: Path, x: ByStrand, said: ByStrand, time: float) -> dict[str, Tensor]:
    """The clean values that predictions of strands at one time mean."""
    t = torch.tensor(time, dtype=torch.float64)
    return {s: path.x0(v, said[s].to(v.dtype), t) for s, v in x.items()}


def times_of(roles: Roles, time: float, items: int, device: torch.device | str = "cpu") -> Float[Tensor, "b m"]:
    """The time of every strand in units of the network, when the moving ones are at this time from 0 to 1."""
    still = 0.0 if roles.ignoring == "released" else UNITS
    kept = {"generate": UNITS * time, "given": 0.0, "ignored": UNITS * time if roles.ignoring == "jointly" else still}
    return torch.tensor([kept[role] for _, role in roles.of], device=device).expand(items, -1)


def instead(
    roles: Roles, shapes: Shapes, seeds: Sequence[int], rows: Mapping[str, slice] | None = None, asking: int = 0
) -> dict[str, Tensor]:
    """Noise to show in place of ignored strands, and of given ones where the network is asked without them.

    Args:
        roles: of every strand.
        shapes: of every strand.
        seeds: one per item.
        rows: strand -> the rows that are wanted; None means all.
        asking: number of the asking, for the released way alone, which shows new noise at each.
    """
    hidden = [s for s in roles.named("ignored") if s in roles.shown and s not in roles.moving]
    names = [*hidden, *(roles.named("given") if roles.guided else ())]
    return {s: noise(seeds, s, shapes[s], None if rows is None else rows[s], "instead", asking) for s in names}


def check(roles: Roles, given: ByStrand, shapes: Shapes, items: int) -> None:
    """Whether roles, shapes and given strands fit.

    Raises:
        BadInput: they do not.
    """
    if tuple(shapes) != roles.strands:
        raise BadInput(
            f"shapes are of {', '.join(shapes)}, roles of {', '.join(roles.strands)}; give both in one order"
        )
    named = roles.named("given")
    if set(named) != set(given):
        raise BadInput(
            f"{', '.join(named) or 'nothing'} should be given and {', '.join(given) or 'nothing'} is; give what the "
            "roles say"
        )
    for s, x in given.items():
        if tuple(x.shape) != (items, *shapes[s]):
            raise BadInput(f"{s} is given as {tuple(x.shape)}; {items} items of {shapes[s]} are needed, one per seed")
