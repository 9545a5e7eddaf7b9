"""Strips: a scene of any length is generated row of windows by row of windows, in memory that does not grow with it.

Row i of step k needs of step k - 1 only the rows that it sees. So all steps go down the scene together, each as far
behind the one before as a window is high; what is behind the last is finished. The sample is what `sample` gives of the
whole scene, bit by bit (guided ones to rounding). Memory grows with steps x height of a window x width of the scene.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.errors import BadInput
from armillary.generate.condition import Roles
from armillary.generate.denoiser import ByStrand
from armillary.generate.guidance import guided
from armillary.generate.moves import Move, moved
from armillary.generate.sampler import expected, instead, times_of
from armillary.generate.solver import FAST, Solver
from armillary.generate.windows import Windowed
from armillary.models.path import Path

Reader = Callable[[slice], Float[Tensor, "b c h w"]]
"""Gives rows of a given strand, from its first column to its last."""


@dataclass(frozen=True, eq=False)
class Strip:
    """Finished rows.

    Args:
        rows: strand -> which rows.
        x: wanted strands, these rows of them.
        held: numbers that were in memory while the strip was made, network and readers aside.
        state: gives what is needed to go on behind this strip, until the next one is asked for.
    """

    rows: Mapping[str, slice]
    x: ByStrand
    held: int
    state: Callable[[], dict[str, Tensor]]


def sample_strips(
    windowed: Windowed,
    path: Path,
    roles: Roles,
    given: Mapping[str, Reader],
    seeds: Sequence[int],
    solver: Solver = FAST,
    device: torch.device | str = "cpu",
    since: Mapping[str, Tensor] | None = None,
) -> Iterator[Strip]:
    """Generate a scene, strip by strip from the top.

    Args:
        windowed: the scene's denoiser.
        path: noise schedule, and what is predicted on it.
        roles: of every strand.
        given: readers of the given strands; each row is read once per step. NaN is shown to the network as 0.
        seeds: one per item.
        solver: method and number of steps.
        device: where it is computed.
        since: the state of a strip of the same request, to go on behind it; None: from the top.

    Raises:
        BadInput: roles that fit neither shapes nor what is given, or a moving strand that all windows share: it would
            have to see the whole scene at every step.
    """
    if tuple(windowed.shapes) != roles.strands or set(given) != set(roles.named("given")):
        raise BadInput(
            f"the scene has {', '.join(windowed.shapes)}, {', '.join(given) or 'nothing'} is given, and the roles are "
            f"{dict(roles.of)}; give what the roles say, in one order"
        )
    shared = [s for s in roles.moving if windowed.lines[s][0].kind == "shared" and len(windowed.windows) > 1]
    if shared:
        raise BadInput(f"{', '.join(shared)} is one for all windows; give or ignore it, or have one for each window")
    cascade = _Cascade(path, roles, windowed, given, seeds, solver.moves(path), torch.device(device))
    if since is not None:
        cascade.restore(since)
    for i in range(cascade.next[-1], len(windowed.windows.rows.starts)):
        cascade.advance(len(cascade.moves) - 1)
        held = cascade.held
        yield Strip(cascade.between(i, roles.named("generate")), cascade.take(i), held, cascade.state)


class Rows:
    """Rows of some strands that are being made, from the first still needed on.

    Args:
        empty: strand -> no rows yet.
    """

    def __init__(self, empty: ByStrand) -> None:
        self.kept = dict(empty)
        self.top = dict.fromkeys(empty, 0)

    @property
    def size(self) -> int:
        """How many numbers are kept."""
        return sum(v.numel() for v in self.kept.values())

    def stop(self, s: str) -> int:
        """The first row that is not there yet."""
        return self.top[s] + self.kept[s].shape[2]

    def append(self, more: ByStrand) -> None:
        """Put rows beneath."""
        for s, v in more.items():
            self.kept[s] = torch.cat((self.kept[s], v), dim=2)

    def extend(self, stop: Mapping[str, int]) -> None:
        """Put rows of zeros beneath, down to these."""
        for s, row in stop.items():
            v = self.kept[s]
            self.append({s: v.new_zeros(v.shape[0], v.shape[1], row - self.stop(s), v.shape[3])})

    def add(self, rows: Mapping[str, slice], more: ByStrand) -> None:
        """Add to rows that are there."""
        for s, v in more.items():
            self.kept[s][:, :, rows[s].start - self.top[s] : rows[s].stop - self.top[s]] += v

    def get(self, rows: Mapping[str, slice]) -> dict[str, Tensor]:
        """Some of the rows."""
        return {s: v[:, :, rows[s].start - self.top[s] : rows[s].stop - self.top[s]] for s, v in self.kept.items()}

    def forget(self, before: Mapping[str, int]) -> None:
        """Drop the rows above."""
        for s, row in before.items():
            if row > self.top[s]:
                self.kept[s] = self.kept[s][:, :, row - self.top[s] :].clone()
                self.top[s] = row


@dataclass(eq=False)
class _Cascade:
    """All steps of one scene, each at a row of windows of its own."""

    path: Path
    roles: Roles
    windowed: Windowed
    given: Mapping[str, Reader]
    seeds: Sequence[int]
    moves: tuple[Move, ...]
    device: torch.device

    def __post_init__(self) -> None:
        shapes = self.windowed.shapes
        empty = {s: torch.empty(len(self.seeds), shapes[s][0], 0, shapes[s][2]) for s in self.roles.moving}
        empty = {s: v.to(self.device) for s, v in empty.items()}
        self.next = [0] * len(self.moves)
        self.x = [Rows(empty) for _ in range(len(self.moves) + 1)]
        self.clean = [Rows(empty) for _ in self.moves]
        self.said = [Rows(empty) for _ in self.moves]

    @property
    def held(self) -> int:
        """Numbers in memory."""
        return sum(rows.size for rows in (*self.x, *self.clean, *self.said))

    @property
    def _kept(self) -> dict[str, Rows]:
        kinds = {"x": self.x, "clean": self.clean, "said": self.said}
        return {f"{kind} {k}": rows for kind, many in kinds.items() for k, rows in enumerate(many)}

    def state(self) -> dict[str, Tensor]:
        """Everything that a cascade of the same request needs to go on from here."""
        found = {"next": torch.tensor(self.next)}
        for name, rows in self._kept.items():
            for s, values in rows.kept.items():
                found[f"{name} {s}"] = values.detach().cpu().contiguous()
                found[f"top {name} {s}"] = torch.tensor(rows.top[s])
        return found

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state.

        Raises:
            BadInput: it is of another request.
        """
        wanted = {f"{name} {s}" for name, rows in self._kept.items() for s in rows.kept}
        if wanted | {f"top {w}" for w in wanted} | {"next"} != set(state) or len(state["next"]) != len(self.next):
            raise BadInput("the state of another request was given; begin again without it")
        self.next = [int(n) for n in state["next"]]
        for name, rows in self._kept.items():
            for s in rows.kept:
                rows.kept[s], rows.top[s] = state[f"{name} {s}"].to(self.device), int(state[f"top {name} {s}"])

    def advance(self, k: int) -> None:
        """The next row of windows of asking k, and before it what it needs of the askings before."""
        i = self.next[k]
        seen = {s: self.windowed.lines[s][0].seen(i) for s in self.roles.shown}
        self._reach(k, seen)
        said = self._ask(k, i, seen)
        self.said[k].extend({s: seen[s].stop for s in said})
        self.said[k].add({s: seen[s] for s in said}, said)
        now, move = self.between(i, self.roles.moving), self.moves[k]
        self.clean[k].append(expected(self.path, self.x[k].get(now), self.said[k].get(now), move.time))
        weighed = {j: self.clean[j].get(now) for j, _ in move.weights}
        self.x[k + 1].append(moved(move, self.x[move.base].get(now), weighed))
        self.next[k] += 1
        self.said[k].forget({s: rows.stop for s, rows in now.items()})
        self._forget()

    def between(self, i: int, strands: Sequence[str]) -> dict[str, slice]:
        """Rows that window row i sees last."""
        lines = {s: self.windowed.lines[s][0] for s in strands}
        return {s: slice(line.done(i - 1) if i else 0, line.done(i)) for s, line in lines.items()}

    def take(self, i: int) -> dict[str, Tensor]:
        """The finished rows of the wanted strands, which are then forgotten."""
        rows = self.between(i, self.roles.moving)
        found = self.x[-1].get(rows)
        self.x[-1].forget({s: r.stop for s, r in rows.items()})
        return {s: found[s] for s in self.roles.named("generate")}

    def _reach(self, k: int, seen: Mapping[str, slice]) -> None:
        """Make x_k down to the rows that are seen."""
        if k:
            while any(self.x[k].stop(s) < seen[s].stop for s in self.roles.moving):
                self.advance(k - 1)
            return
        fresh = {}
        for s in self.roles.moving:
            rows = slice(self.x[0].stop(s), seen[s].stop)
            fresh[s] = self.windowed.noise(self.seeds, s, rows).to(self.device)
        self.x[0].append(fresh)

    def _ask(self, k: int, i: int, seen: Mapping[str, slice]) -> dict[str, Tensor]:
        """What window row i adds to the predictions of asking k."""
        asking = k if self.roles.ignoring == "released" else 0
        blind = instead(self.roles, self.windowed.shapes, self.seeds, seen, asking)
        blind = {s: v.to(self.device) for s, v in blind.items()}
        held = {s: torch.nan_to_num(read(seen[s]).to(self.device)) for s, read in self.given.items()}
        moving = self.x[k].get({s: seen[s] for s in self.roles.moving})
        times = times_of(self.roles, self.moves[k].time, len(self.seeds), self.device)
        return guided(partial(self.windowed.row, i), self.roles, {**blind, **held, **moving}, blind, times)

    def _forget(self) -> None:
        """Drop rows that no asking to come sees, begins from, or weighs."""
        done = [self._done(n) for n in self.next]
        for j, rows in enumerate(self.x[:-1]):
            users = [done[m] for m, move in enumerate(self.moves) if move.base == j]
            rows.forget(_least([self._first(self.next[j]), *users]))
        for j, rows in enumerate(self.clean):
            rows.forget(_least([done[m] for m, move in enumerate(self.moves) if j in dict(move.weights)]))

    def _first(self, i: int) -> dict[str, int]:
        """The first rows that window row i sees."""
        lines = {s: self.windowed.lines[s][0] for s in self.roles.moving}
        last = len(self.windowed.windows.rows.starts)
        return {s: line.seen(i).start if i < last else line.done(last - 1) for s, line in lines.items()}

    def _done(self, i: int) -> dict[str, int]:
        """Rows that are finished after i rows of windows."""
        return {s: self.windowed.lines[s][0].done(i - 1) if i else 0 for s in self.roles.moving}


def _least(marks: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Strand by strand the least mark."""
    return {s: min(mark[s] for mark in marks) for s in marks[0]} if marks else {}
