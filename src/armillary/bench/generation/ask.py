"""Ask: a target from a given set, of every cut that has both: what is expected, what is drawn, what floors tell."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby

import numpy as np
from jaxtyping import Float

from armillary.bench.generation.calibration import calibration
from armillary.bench.generation.cuts import Cut, Item, Material, in_turn
from armillary.bench.generation.floors import Floor
from armillary.bench.generation.measures import MEASURES, main_measure, measured
from armillary.bench.generation.parties import Given, Party, parties_of, resolve
from armillary.bench.generation.plan import GenerationPlan
from armillary.bench.generation.references import OTHER_DATE, floors, other_date
from armillary.bench.generation.spans import spans_of
from armillary.bench.generation.teller import Teller
from armillary.errors import BadInput
from armillary.generate.noise import seed_of
from armillary.sample.strands import Categories, Code

EXPECTED, SAMPLE, MEAN_OF, BEST_OF = "expected", "sample", "mean of samples", "best of samples"

Values = Float[np.ndarray, "_ _ _"]
Row = dict[str, dict[str, dict[str, float]]]
"""Teller -> strand -> measure -> value, of one item."""


@dataclass(frozen=True, eq=False)
class Setting:
    """What a question needs: the model, the cuts, the plan; floors once fitted are kept.

    Args:
        teller: the model.
        material: the cuts.
        plan: how much is asked.
    """

    teller: Teller
    material: Material
    plan: GenerationPlan
    kept: dict[tuple[str, tuple[str, ...]], tuple[tuple[str, Floor], ...]] = field(default_factory=dict, repr=False)

    @property
    def codes(self) -> Mapping[str, Code]:
        """By name."""
        return {code.name: code for code in self.teller.joint.codes}

    @property
    def parties(self) -> tuple[Party, ...]:
        """Of the model."""
        return parties_of(self.teller.joint.codes)

    def strands(self, party: str) -> tuple[str, ...]:
        """Of a party."""
        return next(p.strands for p in self.parties if p.name == party)

    def floors(self, target: str, given: tuple[str, ...]) -> tuple[tuple[str, Floor], ...]:
        """Fitted once."""
        if (target, given) not in self.kept:
            self.kept[target, given] = tuple(floors(self.material.train, given, target, self.codes))
        return self.kept[target, given]

    def able(self, target: str, given: Given, cuts: Sequence[Cut] | None = None) -> list[tuple[Cut, tuple[str, ...]]]:
        """Held-out cuts that can be asked, with the strands that they give."""
        resolved = (
            (c, resolve(self.parties, target, given, c.item)) for c in (self.material.held if cuts is None else cuts)
        )
        return [(cut, strands) for cut, strands in resolved if strands is not None]


def told(setting: Setting, target: str, given: Given) -> tuple[list[Cut], dict[str, object]]:
    """What is expected of every cut, beside all floors.

    Returns:
        The cuts, and {"fidelity": teller -> strand -> measure -> one value per cut}.

    Raises:
        BadInput: no held-out cut has the target and what is given.
    """
    asked = _some(setting, target, given)
    rows = {cut.key: _references(setting, cut, target, strands) for cut, strands in asked}
    for cuts, made in _expected(setting, target, asked):
        for cut, item in zip(cuts, made, strict=True):
            rows[cut.key][EXPECTED] = _each(setting, cut, item)
    return [cut for cut, _ in asked], {"fidelity": _columns([rows[cut.key] for cut, _ in asked])}


def sampled(setting: Setting, target: str, given: Given) -> tuple[list[Cut], dict[str, object], list[list[Item]]]:
    """Samples of a few cuts, their calibration, and what `told` tells of the same cuts.

    Returns:
        The cuts; {"fidelity": ..., "calibration": strand -> one set of sums per cut}; the samples of each cut.
    """
    plan = setting.plan
    able = dict(_by_key(_some(setting, target, given)))
    cuts = in_turn([cut for cut, _ in able.values()], plan.sampled)
    asked = [able[cut.key] for cut in cuts]
    want = setting.strands(target)
    rows = {cut.key: _references(setting, cut, target, strands) for cut, strands in asked}
    for some, made in _expected(setting, target, asked):
        for cut, item in zip(some, made, strict=True):
            rows[cut.key][EXPECTED] = _each(setting, cut, item)
    drawn: list[list[Item]] = []
    sums: dict[str, list[object]] = {s: [] for s in want}
    for cut, strands in asked:
        seeds = [seed_of(plan.seed, "sample", cut.key, k) for k in range(plan.samples)]
        drawn.append(setting.teller.drawn(cut.item, want, strands, seeds))
        rows[cut.key] |= _of_samples(setting, cut, drawn[-1])
        for s in want:
            sums[s].append(_calibrated(setting, cut, s, drawn[-1]))
    fidelity = _columns([rows[cut.key] for cut in cuts])
    return list(cuts), {"fidelity": fidelity, "calibration": sums}, drawn


def _some(setting: Setting, target: str, given: Given) -> list[tuple[Cut, tuple[str, ...]]]:
    asked = setting.able(target, given)
    if not asked:
        raise BadInput(f"no held-out cut has {target} and what it is to be told from; ask for another set")
    return asked


def _by_key(asked: Sequence[tuple[Cut, tuple[str, ...]]]) -> Iterator[tuple[str, tuple[Cut, tuple[str, ...]]]]:
    for cut, strands in asked:
        yield cut.key, (cut, strands)


def _expected(
    setting: Setting, target: str, asked: Sequence[tuple[Cut, tuple[str, ...]]]
) -> Iterator[tuple[list[Cut], list[Item]]]:
    """Cuts that give the same strands are asked together."""
    want = setting.strands(target)
    for strands, some in groupby(sorted(asked, key=lambda a: a[1]), key=lambda a: a[1]):
        cuts = [cut for cut, _ in some]
        yield cuts, setting.teller.expected([c.item for c in cuts], want, strands)


def _references(setting: Setting, cut: Cut, target: str, given: tuple[str, ...]) -> Row:
    """What floors, and other dates, tell of one cut."""
    found: Row = {}
    for strand in (s for s in setting.strands(target) if s in cut.item):
        code, truth = setting.codes[strand], cut.item[strand]
        for name, floor in setting.floors(strand, given):
            found.setdefault(name, {})[strand] = measured(code, floor(cut.item), truth)
        other = other_date(cut, strand, setting.material.dates)
        if other is not None:
            found.setdefault(OTHER_DATE, {})[strand] = measured(code, other, truth)
    return found


def _each(setting: Setting, cut: Cut, item: Item) -> dict[str, dict[str, float]]:
    """Measures of every strand that the cut has."""
    return {s: measured(setting.codes[s], v, cut.item[s]) for s, v in item.items() if s in cut.item}


def _of_samples(setting: Setting, cut: Cut, drawn: Sequence[Item]) -> Row:
    """One sample on average, the mean of all, and the best of them by its main measure."""
    found: Row = {SAMPLE: {}, MEAN_OF: {}, BEST_OF: {}}
    for strand in (s for s in drawn[0] if s in cut.item):
        code, truth = setting.codes[strand], cut.item[strand]
        each = [measured(code, d[strand], truth) for d in drawn]
        found[SAMPLE][strand] = {m: float(np.mean([e[m] for e in each])) for m in each[0]}
        found[MEAN_OF][strand] = measured(code, _mean(code, [d[strand] for d in drawn]), truth)
        main = main_measure(code)
        best = max(each, key=lambda e: np.nan_to_num(MEASURES[main][1] * e[main], nan=-np.inf))
        found[BEST_OF][strand] = best
    return found


def _mean(code: Code, drawn: Sequence[Values]) -> Values:
    """Of values; of classes the one that most samples have."""
    if not isinstance(code, Categories):
        mean: Values = np.mean(drawn, axis=0)
        return mean
    votes = np.mean([code.encode(d) for d in drawn], axis=0)
    return code.decode(votes)


def _calibrated(setting: Setting, cut: Cut, strand: str, drawn: Sequence[Item]) -> dict[str, object] | None:
    """Sums of one cut; None where the cut lacks the strand, or its values are classes."""
    spans = spans_of(setting.codes[strand])
    if spans is None or strand not in cut.item:
        return None
    rng = np.random.default_rng(seed_of(setting.plan.seed, "ties", cut.key))
    return asdict(calibration(np.stack([d[strand] for d in drawn]), cut.item[strand], spans, rng))


def _columns(rows: Sequence[Row]) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Of every teller, strand and measure one value per item, NaN where an item has none."""
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for i, row in enumerate(rows):
        for teller, strands in row.items():
            for strand, values in strands.items():
                for measure, value in values.items():
                    column = found.setdefault(teller, {}).setdefault(strand, {}).setdefault(measure, [])
                    column.extend([float("nan")] * (i - len(column)) + [value])
    for measures in (m for strands in found.values() for m in strands.values()):
        for column in measures.values():
            column.extend([float("nan")] * (len(rows) - len(column)))
    return found
