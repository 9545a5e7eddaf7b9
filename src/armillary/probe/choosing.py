"""Choosing: on which items a probe's settings are tried, and how well predictions of them do.

Validation items where there are some; else folds within the training items, which cut no group either. Test items are
never among them.
"""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Float, Int

from armillary.errors import BadInput, OutOfRange
from armillary.probe.answer import AnyOf, ClassMap, OneOf, Value, ValueMap, is_dense
from armillary.probe.asked import Asked, Question
from armillary.probe.splits import Split, folds, group_folds

INNER_FOLDS = 4


def inner_splits(asked: Question, seed: int, count: int = INNER_FOLDS) -> tuple[Split, ...]:
    """Who learns and who judges while settings are chosen; none where one training item stands alone.

    Args:
        asked: only its training and validation items are looked at.
        seed: deals the folds.
        count: folds within the training items, where there are no validation items.
    """
    parts = asked.parts
    if len(parts.val):
        return (Split(parts.train, parts.val),)
    rng, train = np.random.default_rng(seed), parts.train
    kinds = np.zeros(len(train), dtype=np.int64)
    if isinstance(asked.answer, OneOf):
        kinds = np.array([int(asked.truths[i]) for i in train], dtype=np.int64)
    own = None if parts.groups is None else parts.groups[train]
    if own is not None and len(np.unique(own)) > 1:
        dealt = group_folds(own, min(count, len(np.unique(own))), rng, y=kinds)
    elif len(train) > 1:
        dealt = folds(kinds, min(count, len(train)), rng)
    else:
        return ()
    return tuple(Split(train[s.train], train[s.test]) for s in dealt)


def with_truth(asked: Question, items: Int[np.ndarray, " m"]) -> Int[np.ndarray, " k"]:
    """Those of the items of which anything is known.

    Raises:
        OutOfRange: nothing is known of any of them.
    """
    known = np.array([_is_known(asked, int(i)) for i in items], dtype=bool)
    if not known.any():
        raise OutOfRange(f"none of {len(items)} items to learn from has a known truth; give some that have")
    kept: Int[np.ndarray, " k"] = items[known]
    return kept


def stacked(asked: Question, items: Int[np.ndarray, " m"]) -> np.ndarray:
    """Truths of items that have one shape."""
    return np.stack([np.asarray(asked.truths[i]) for i in items])


def vectors(asked: Asked, items: Int[np.ndarray, " m"]) -> Float[np.ndarray, "m d"]:
    """Their vectors, in double precision."""
    rows: Float[np.ndarray, "m d"] = asked.seen.vectors[items].astype(np.float64)
    return rows


def refuse_unless(serves: bool, name: str, asked: Asked) -> None:
    """Say what is missing.

    Raises:
        BadInput: this probe gives no such answers, or a dense one is asked without maps.
    """
    kind = type(asked.answer).__name__
    if not serves:
        raise BadInput(f"{name} was asked for {kind} and gives no such answers; take a probe that serves it")
    if is_dense(asked.answer) and not asked.seen.maps:
        raise BadInput(f"{name} was asked for {kind} and given no maps; give Seen the encoder's four maps per item")


def score(answer: object, predictions: Iterable[np.ndarray], truths: Iterable[np.ndarray]) -> float:
    """The main measure, as something to be large: OA, macro mAP, mIoU, or the negative RMSE.

    nan where nothing is known. Maps are looked at one at a time.

    Args:
        answer: what kind.
        predictions: one per item, as `armillary.probe.answer` says.
        truths: in the same order.
    """
    pairs = zip(predictions, truths, strict=True)
    match answer:
        case OneOf(classes):
            shares, truth = np.reshape(list(predictions), (-1, len(classes))), np.array(list(truths))
            right = (shares.argmax(axis=1) == truth)[truth >= 0]
            return float(right.mean()) if len(right) else float("nan")
        case AnyOf(classes):
            shares, truth = (np.reshape(list(a), (-1, len(classes))) for a in (predictions, truths))
            return mean_precision(shares, truth.astype(bool))
        case ClassMap(classes):
            seen = np.zeros((len(classes), len(classes)))
            for p, t in pairs:
                seen += _confusion(p.argmax(axis=0), t, len(classes))
            return _mean_iou(seen)
        case Value() | ValueMap():
            total, count = 0.0, 0
            for p, t in pairs:
                known = np.isfinite(t)
                total += float(np.square(np.where(known, p - t, 0.0), dtype=np.float64).sum())
                count += int(known.sum())
            return -float(np.sqrt(total / count)) if count else float("nan")
        case _:
            raise BadInput(f"{type(answer).__name__} is no kind of answer; give one of armillary.probe.answer")


def best(scores: Iterable[float]) -> int:
    """The number of the largest score; the first of equal ones, nan is the smallest."""
    values = np.array(list(scores), dtype=np.float64)
    return int(np.where(np.isnan(values), -np.inf, values).argmax())


def mean_precision(shares: Float[np.ndarray, "n k"], truth: Bool[np.ndarray, "n k"]) -> float:
    """Mean over classes of the average precision, equal shares as one step; classes without an item do not count."""
    each = [_precision(shares[:, j], truth[:, j]) for j in range(truth.shape[1]) if truth[:, j].any()]
    return float(np.mean(each)) if each else float("nan")


def _precision(share: Float[np.ndarray, " n"], truth: Bool[np.ndarray, " n"]) -> float:
    order = np.argsort(-share, kind="stable")
    steps = np.append(np.flatnonzero(np.diff(share[order])), len(order) - 1)  # last item of each group of equals
    found = truth[order].cumsum()[steps]
    gained = np.diff(found, prepend=0) / found[-1]
    return float((gained * found / (steps + 1)).sum())


def _confusion(p: Int[np.ndarray, "h w"], t: Int[np.ndarray, "h w"], k: int) -> Float[np.ndarray, "k k"]:
    asked = t >= 0
    return np.bincount(t[asked] * k + p[asked], minlength=k * k).reshape(k, k).astype(np.float64)


def _mean_iou(seen: Float[np.ndarray, "k k"]) -> float:
    shared, union = np.diag(seen), seen.sum(axis=0) + seen.sum(axis=1) - np.diag(seen)
    there = union > 0
    return float((shared[there] / union[there]).mean()) if there.any() else float("nan")


def _is_known(asked: Question, item: int) -> bool:
    truth = np.asarray(asked.truths[item])
    if isinstance(asked.answer, OneOf | ClassMap):
        return bool((truth >= 0).any())
    return isinstance(asked.answer, AnyOf) or bool(np.isfinite(truth).any())
