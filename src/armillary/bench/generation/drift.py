"""Drift: from one sensor to another and back, over and over; what is left of the place, and how soon it is lost.

COP-GEN-Beta (arXiv:2504.08548) shows such a loop as pictures; here it is a curve against the first, true picture.
"""

from collections.abc import Sequence

import numpy as np

from armillary.bench.generation.ask import Setting
from armillary.bench.generation.cuts import Cut, Item, in_turn
from armillary.bench.generation.measures import measured
from armillary.bench.generation.references import MEAN
from armillary.errors import BadInput
from armillary.generate.noise import seed_of

MEASURED = ("mae", "level", "correlation")


def drift(setting: Setting, target: str, via: str) -> tuple[list[Cut], dict[str, object], list[list[Item]]]:
    """Rounds there and back, one sample at each step, of a few cuts.

    Returns:
        The cuts; {"rounds": one per round, strand -> measure -> one value per cut, "mean": the same of the floor that
        tells the mean}, where "contrast" is the deviation within the picture over that of the truth; what came back
        after each round.

    Raises:
        BadInput: no held-out cut has the target.
    """
    plan, want, there = setting.plan, setting.strands(target), setting.strands(via)
    able = [c for c, strands in setting.able(target, (via,)) if strands]
    cuts = list(in_turn([c for c in able if set(want) <= set(c.item)] or able, plan.sampled))
    if not cuts:
        raise BadInput(f"no held-out cut has both {target} and {via}; ask for another loop")
    have = tuple(s for s in want if all(s in c.item for c in cuts))
    now: list[Item] = [{s: c.item[s] for s in have} for c in cuts]
    rounds, came = [], []
    for r in range(plan.rounds):
        seeds = [[seed_of(plan.seed, "drift", c.key, r, way) for c in cuts] for way in ("there", "back")]
        other = setting.teller.drawn_each(now, there, tuple(now[0]), seeds[0])
        now = setting.teller.drawn_each(other, want, there, seeds[1])
        rounds.append({s: _measured(setting, s, cuts, now) for s in have})
        came.append(now)
    floors = {s: dict(setting.floors(s, ())) for s in have}
    told = [{s: floors[s][MEAN](c.item) for s in have if MEAN in floors[s]} for c in cuts]
    mean = {s: _measured(setting, s, cuts, told) for s in have if s in told[0]}
    return cuts, {"rounds": rounds, "mean": mean}, came


def _measured(setting: Setting, strand: str, cuts: Sequence[Cut], made: Sequence[Item]) -> dict[str, list[float]]:
    rows = [measured(setting.codes[strand], m[strand], c.item[strand]) for c, m in zip(cuts, made, strict=True)]
    contrast = [_contrast(m[strand], c.item[strand]) for c, m in zip(cuts, made, strict=True)]
    return {m: [row[m] for row in rows] for m in MEASURED} | {"contrast": contrast}


def _contrast(told: np.ndarray, truth: np.ndarray) -> float:
    """Mean over channels, where both are known."""
    shares = []
    for t, v in zip(told, truth, strict=True):
        known = np.isfinite(t) & np.isfinite(v)
        if known.any() and v[known].std() > 0:
            shares.append(float(t[known].std() / v[known].std()))
    return float(np.mean(shares)) if shares else float("nan")
