"""Scores: what sums say, by name; and how far they can be trusted.

One set of formulas works on the sums of all items (`measures`), on many resamplings of groups of items at once
(`bootstrap`, `paired`), on those of one region (`regional`), and on batches as the published protocol averages them
(`official`). A measure that is not defined (nothing is known, a class that is neither there nor answered) is nan, and a
mean over classes leaves such classes out. docs/scores.md has the formulas.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float

from armillary.bench.scores.exact import real
from armillary.bench.scores.ranking import all_labels, each_label
from armillary.bench.scores.sums import CONFIDENCE, Given, Sums, tally, total, zero
from armillary.errors import OutOfRange
from armillary.probe.answer import MAIN, Answer, AnyOf, ClassMap, OneOf
from armillary.probe.intervals import LEVEL, Interval

DRAWS = 1000
"""Resamplings of an interval."""

ROUNDING = 1e-12
"""A spread of predictions below this share of what it is computed from is none."""

LOWER_IS_BETTER = frozenset({"RMSE", "MAE", "nRMSE", "ECE"})
"""All other measures are better when larger, but for "bias", which is best at 0."""

OFFICIAL: dict[type, str] = {**MAIN, AnyOf: "micro mAP"}
"""The measure that the published protocol averages over batches."""

Found = dict[str, Float[np.ndarray, " d"]]


def measures(answer: Answer, sums: Sums) -> dict[str, float]:
    """All measures that fit an answer, the main one first.

    Raises:
        BadInput: the sums are of another answer.
    """
    return {name: float(value[0]) for name, value in _found(answer, (sums,), np.ones((1, 1))).items()}


def bootstrap(
    answer: Answer,
    per_item: Sequence[Sums],
    groups: Sequence[Hashable] | np.ndarray | None,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> dict[str, Interval]:
    """Every measure with its percentile interval at `LEVEL`; whole groups of items are drawn with replacement.

    The ends of an interval are nan where fewer than two groups are there to draw from.

    Args:
        answer: what was asked.
        per_item: sums of each item.
        groups: each item's group; None: every item stands alone.
        rng: draws the groups.
        draws: how many resamplings.

    Raises:
        OutOfRange: there is no item, or not one group per item.
    """
    found = resampled(answer, per_item, groups, rng, draws)
    return intervals(measures(answer, total(per_item)), found)


def resampled(
    answer: Answer,
    per_item: Sequence[Sums],
    groups: Sequence[Hashable] | np.ndarray | None,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> Found:
    """Every measure in every draw of `bootstrap`.

    Equal groups and equal generators draw the same, so two learners can be compared draw by draw.

    Raises:
        OutOfRange: there is no item, or not one group per item.
    """
    grouped = _grouped(per_item, range(len(per_item)) if groups is None else groups)
    return _found(answer, grouped, _drawn(len(grouped), rng, draws))


def intervals(scores: Mapping[str, float], found: Found) -> dict[str, Interval]:
    """Scores with the ends of the interval that their draws make; nan where no draw is known."""
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    ends = {name: np.quantile(x[~np.isnan(x)], tails) for name, x in found.items() if not np.isnan(x).all()}
    unknown = (np.nan, np.nan)
    return {name: Interval(score, *(float(end) for end in ends.get(name, unknown))) for name, score in scores.items()}


def paired(
    answer: Answer,
    ours: Sequence[Sums],
    theirs: Sequence[Sums],
    groups: Sequence[Hashable] | np.ndarray | None,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> dict[str, Interval]:
    """Every measure of ours less theirs, with its interval; both are asked the same items in each draw.

    Raises:
        OutOfRange: the two were not asked equally many items, or as `bootstrap`.
    """
    if len(ours) != len(theirs):
        raise OutOfRange(f"{len(ours)} items were compared with {len(theirs)}; ask both the same items in one order")
    names = range(len(ours)) if groups is None else groups
    sides = [_grouped(ours, names), _grouped(theirs, names)]
    weights = _drawn(len(sides[0]), rng, draws)
    found = [_found(answer, side, weights) for side in sides]
    scores = [measures(answer, total(side)) for side in sides]
    differences = {name: found[0][name] - found[1][name] for name in found[0]}
    return intervals({name: scores[0][name] - scores[1][name] for name in scores[0]}, differences)


@dataclass(frozen=True)
class Region:
    """The main measure of the items of one region.

    Args:
        name: as given.
        items: how many.
        score: nan where nothing is known.
    """

    name: Hashable
    items: int
    score: float


def regional(answer: Answer, per_item: Sequence[Sums], regions: Sequence[Hashable] | np.ndarray) -> tuple[Region, ...]:
    """The main measure of every region, in the order in which regions first appear.

    Raises:
        OutOfRange: there is no item, or not one region per item.
    """
    main = MAIN[type(answer)]
    return tuple(
        Region(name, len(some), measures(answer, total(some))[main])
        for name, some in _by_name(per_item, regions).items()
    )


def worst(
    answer: Answer, per_item: Sequence[Sums], regions: Sequence[Hashable] | np.ndarray, least: int = 1
) -> Region | None:
    """The region with the worst main measure among those of at least so many items; None where there is none.

    Raises:
        OutOfRange: there is no item, or not one region per item.
    """
    known = [r for r in regional(answer, per_item, regions) if r.items >= least and not np.isnan(r.score)]
    badness = 1 if MAIN[type(answer)] in LOWER_IS_BETTER else -1
    return max(known, key=lambda r: badness * r.score, default=None)


def official(answer: Answer, predictions: Iterable[Given], truths: Iterable[Given], batch: int) -> float:
    """The score as Copernicus-Bench's own code averages it: see `official_of`.

    Args:
        answer: what was asked.
        predictions: one per item, in the order in which they were asked.
        truths: the same.
        batch: items of a batch.
    """
    pairs = zip(predictions, truths, strict=True)
    return official_of(answer, [tally(answer, prediction, truth) for prediction, truth in pairs], batch)


def official_of(answer: Answer, per_item: Sequence[Sums], batch: int) -> float:
    """Mean over batches of the score of each, weighed by its items: what the published protocol reports.

    It depends on the batch and on the order. mAP is the micro average here, and 0 in a batch without any label; a batch
    of which no pixel or value is known makes the whole score nan. Both as upstream (torchmetrics 1.9).

    Raises:
        OutOfRange: there is no item, or a batch holds none.
    """
    if not per_item or batch < 1:
        raise OutOfRange(
            f"{len(per_item)} items in batches of {batch} were scored; give items, and batches of 1 or more"
        )
    parts = [per_item[at : at + batch] for at in range(0, len(per_item), batch)]
    name = OFFICIAL[type(answer)]
    scores = np.array([measures(answer, total(part))[name] for part in parts])
    if isinstance(answer, AnyOf):
        scores = np.nan_to_num(scores)
    return float(np.average(scores, weights=[len(part) for part in parts]))


def _found(answer: Answer, groups: Sequence[Sums], weights: Float[np.ndarray, "d g"]) -> Found:
    """Every measure under each weighting of the groups."""
    whole = [total((zero(answer), sums)) for sums in groups]
    match answer:
        case OneOf(classes):
            return _one_of(_weighed(whole, "confusion", weights), _error(whole, weights), classes)
        case ClassMap(classes):
            return _class_map(_weighed(whole, "confusion", weights), _error(whole, weights), classes)
        case AnyOf(classes):
            return _any_of(whole, weights, classes)
        case _:
            return _value(whole, weights)


def _one_of(m: Float[np.ndarray, "d k k"], error: Float[np.ndarray, " d"], classes: Sequence[str]) -> Found:
    hit, truth, said = _margins(m)
    f1 = _ratio(2 * hit, truth + said)
    return {**_shared(m, f1), "ECE": error, **_named("F1", classes, f1)}


def _class_map(m: Float[np.ndarray, "d k k"], error: Float[np.ndarray, " d"], classes: Sequence[str]) -> Found:
    hit, truth, said = _margins(m)
    iou = _ratio(hit, truth + said - hit)
    shared = _shared(m, _ratio(2 * hit, truth + said))
    return {"mIoU": _mean(iou), **shared, "ECE": error, **_named("IoU", classes, iou)}


def _shared(m: Float[np.ndarray, "d k k"], f1: Float[np.ndarray, "d k"]) -> Found:
    hit, truth, _ = _margins(m)
    accuracy = _ratio(hit.sum(-1), truth.sum(-1))
    balanced = _mean(_ratio(hit, truth))
    return {"OA": accuracy, "balanced accuracy": balanced, "macro F1": _mean(f1), "micro F1": accuracy}


def _any_of(groups: Sequence[Sums], weights: Float[np.ndarray, "d g"], classes: Sequence[str]) -> Found:
    m = _weighed(groups, "labels", weights)
    hit, strays = m[..., 1, 1], m[..., 1, 0] + m[..., 0, 1]
    f1 = _ratio(2 * hit, 2 * hit + strays)
    scores, truths = (np.concatenate([g.row(name) for g in groups]) for name in ("scores", "truths"))
    group = np.repeat(np.arange(len(groups)), [len(g.row("scores")) for g in groups])
    each = each_label(scores, truths, weights, group)
    return {
        "mAP": _mean(each),
        "micro mAP": all_labels(scores, truths, weights, group),
        "macro F1": _mean(f1),
        "micro F1": _ratio(2 * hit.sum(-1), (2 * hit + strays).sum(-1)),
        "ECE": _error(groups, weights),
        **_named("AP", classes, each),
        **_named("F1", classes, f1),
    }


def _value(groups: Sequence[Sums], weights: Float[np.ndarray, "d g"]) -> Found:
    known = sum(int(g.counts["known"]) for g in groups)
    centre = real(sum(g.reals["truth"] for g in groups)) / max(known, 1)
    n, y, yy, e, absolute, ee, ye = (weights @ np.array([_from(centre, g) for g in groups])).T
    spread = yy - _ratio(y * y, n)
    together = spread + ye - _ratio(y * e, n)
    guessed = spread + ee + 2 * ye - _ratio((2 * y + e) * e, n)
    guessed = np.where(guessed > ROUNDING * (spread + ee), guessed, 0.0)
    return {
        "RMSE": np.sqrt(_ratio(ee, n)),
        "MAE": _ratio(absolute, n),
        "R2": 1 - _ratio(ee, spread),
        "bias": _ratio(e, n),
        "nRMSE": np.sqrt(_ratio(ee, spread)),
        "r": _ratio(together, np.sqrt(np.maximum(spread, 0.0) * guessed)),
    }


def _from(centre: Fraction, sums: Sums) -> list[float]:
    """Sums with truths counted from a centre, which is done before anything is rounded: no offset costs a digit."""
    n = int(sums.counts["known"])
    y, yy, e, absolute, ee, ye = (
        real(sums.reals[name]) for name in ("truth", "truth^2", "error", "|error|", "error^2", "truth*error")
    )
    moved = [y - n * centre, yy - 2 * centre * y + n * centre**2, e, absolute, ee, ye - centre * e]
    return [float(n), *map(float, moved)]


def _error(groups: Sequence[Sums], weights: Float[np.ndarray, "d g"]) -> Float[np.ndarray, " d"]:
    """Expected calibration error."""
    decisions, hits, confidence = np.moveaxis(_weighed(groups, "calibration", weights), 1, 0)
    return _ratio(np.abs(hits - confidence / CONFIDENCE).sum(-1), decisions.sum(-1))


def _weighed(groups: Sequence[Sums], name: str, weights: Float[np.ndarray, "d g"]) -> Float[np.ndarray, "d ..."]:
    return np.tensordot(weights, np.stack([g.counts[name] for g in groups]).astype(np.float64), axes=1)


def _margins(m: Float[np.ndarray, "d k k"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per class: how often it was right, was there, and was answered."""
    return np.diagonal(m, axis1=-2, axis2=-1), m.sum(-1), m.sum(-2)


def _ratio(part: Float[np.ndarray, "*n"], whole: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """A share; nan where there is no whole."""
    out = np.full(np.shape(whole), np.nan)
    np.divide(part, whole, out=out, where=whole > 0)
    return out


def _mean(x: Float[np.ndarray, "d k"]) -> Float[np.ndarray, " d"]:
    """Over classes of which something is known."""
    known = ~np.isnan(x)
    return _ratio(np.where(known, x, 0.0).sum(-1), known.sum(-1).astype(np.float64))


def _named(measure: str, classes: Sequence[str], x: Float[np.ndarray, "d k"]) -> Found:
    return {f"{measure} {name}": x[:, k] for k, name in enumerate(classes)}


def _by_name(per_item: Sequence[Sums], names: Sequence[Hashable] | np.ndarray) -> dict[Hashable, list[Sums]]:
    if not len(per_item) or len(names) != len(per_item):
        raise OutOfRange(f"{len(names)} names were given for {len(per_item)} items; give one for each of one or more")
    found: dict[Hashable, list[Sums]] = {}
    for name, sums in zip(names, per_item, strict=True):
        found.setdefault(name.item() if isinstance(name, np.generic) else name, []).append(sums)
    return found


def _grouped(per_item: Sequence[Sums], names: Sequence[Hashable] | np.ndarray) -> list[Sums]:
    return [total(some) for some in _by_name(per_item, names).values()]


def _drawn(groups: int, rng: np.random.Generator, draws: int) -> Float[np.ndarray, "d g"]:
    """How often each group comes up in each draw; nan where one group is all there is."""
    if groups < 2:
        return np.full((draws, groups), np.nan)
    return rng.multinomial(groups, np.full(groups, 1 / groups), size=draws).astype(np.float64)
