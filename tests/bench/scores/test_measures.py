import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from tests.bench.scores.answered import ANSWERS, NAMES, Answered, answered, patchy
from torchmetrics.functional import classification as tm
from torchmetrics.functional import jaccard_index

from armillary.bench.scores.measures import bootstrap, measures, official, official_of, paired, regional, worst
from armillary.bench.scores.sums import Sums, tally, total
from armillary.errors import OutOfRange
from armillary.probe.answer import IGNORE, MAIN, Answer, AnyOf, ClassMap, OneOf, Value, ValueMap

every_answer = pytest.mark.parametrize("answer", ANSWERS, ids=lambda a: type(a).__name__)


def scores_of(some: Answered) -> dict[str, float]:
    return measures(some.answer, total(some.per_item))


def flat(some: Answered) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities [n k] (or values [n]) and truths [n] of all that is known."""
    p, y = np.array(some.predictions), np.array(some.truths)
    if isinstance(some.answer, ClassMap):
        p, y = np.moveaxis(p, 1, -1).reshape(-1, p.shape[1]), y.reshape(-1)
        return p[y != IGNORE], y[y != IGNORE]
    if isinstance(some.answer, Value | ValueMap):
        p, y = p.astype(np.float64).reshape(-1), y.astype(np.float64).reshape(-1)
        return p[~np.isnan(y)], y[~np.isnan(y)]
    return p, y


def assert_found(found: dict[str, float], expected: dict[str, float], rtol: float = 1e-12) -> None:
    np.testing.assert_allclose([found[name] for name in expected], list(expected.values()), rtol=rtol)


@pytest.mark.parametrize("answer", [OneOf(NAMES), ClassMap(NAMES)], ids=["OneOf", "ClassMap"])
def test_scores_of_classes_are_those_of_scikit_learn(answer: Answer) -> None:
    some = answered(answer)
    p, y = flat(some)
    said = p.argmax(axis=1)
    expected = {
        "OA": sk.accuracy_score(y, said),
        "balanced accuracy": sk.balanced_accuracy_score(y, said),
        "macro F1": sk.f1_score(y, said, average="macro"),
        "micro F1": sk.f1_score(y, said, average="micro"),
    }
    each = sk.jaccard_score if isinstance(answer, ClassMap) else sk.f1_score
    word = "IoU" if isinstance(answer, ClassMap) else "F1"
    expected |= {f"{word} {name}": value for name, value in zip(NAMES, each(y, said, average=None), strict=True)}
    assert_found(scores_of(some), expected)


def test_the_mean_iou_is_that_of_torchmetrics() -> None:
    some = answered(ClassMap(NAMES))
    p, y = torch.tensor(np.array(some.predictions)), torch.tensor(np.array(some.truths))
    expected = jaccard_index(p, y, task="multiclass", num_classes=5, ignore_index=IGNORE)
    assert scores_of(some)["mIoU"] == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("answer", [OneOf(NAMES), ClassMap(NAMES)], ids=["OneOf", "ClassMap"])
def test_the_calibration_error_is_that_of_torchmetrics(answer: Answer) -> None:
    some = answered(answer)
    p, y = map(torch.tensor, flat(some))
    expected = tm.multiclass_calibration_error(p, y, num_classes=5, n_bins=15, norm="l1")
    assert scores_of(some)["ECE"] == pytest.approx(float(expected), rel=1e-5)


def test_scores_of_labels_are_those_of_scikit_learn() -> None:
    some = answered(AnyOf(NAMES))
    p, y = flat(some)
    expected = {
        "mAP": sk.average_precision_score(y, p, average="macro"),
        "micro mAP": sk.average_precision_score(y, p, average="micro"),
        "macro F1": sk.f1_score(y, p > 0.5, average="macro"),
        "micro F1": sk.f1_score(y, p > 0.5, average="micro"),
    }
    assert_found(scores_of(some), expected)


def test_the_calibration_error_of_labels_is_that_of_torchmetrics() -> None:
    rng = np.random.default_rng(0)
    p = rng.random((40, 5))  # answered() rounds to tenths, some of which lie on the edge of a bin
    y = rng.random((40, 5)) < p**2
    expected = tm.binary_calibration_error(torch.tensor(p.ravel()), torch.tensor(y.ravel()).long(), n_bins=15)
    found = scores_of(Answered(AnyOf(NAMES), list(p), list(y)))["ECE"]
    assert found == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("answer", [Value("m"), ValueMap("m")], ids=["Value", "ValueMap"])
def test_scores_of_values_are_those_of_scikit_learn(answer: Answer) -> None:
    some = answered(answer)
    p, y = flat(some)
    expected = {
        "RMSE": sk.root_mean_squared_error(y, p),
        "MAE": sk.mean_absolute_error(y, p),
        "R2": sk.r2_score(y, p),
        "bias": float(np.mean(p - y)),
        "nRMSE": sk.root_mean_squared_error(y, p) / np.std(y),
        "r": np.corrcoef(p, y)[0, 1],
    }
    assert_found(scores_of(some), expected, rtol=1e-10)


def test_a_large_offset_of_truths_costs_no_digit() -> None:
    error, y = np.array([0.5, -0.5, 0.25, 0.25]), np.array([1.0, 2.0, 3.0, 4.0])
    near, far = (
        scores_of(Answered(Value("m"), list(np.asarray(y + c + error)), list(np.asarray(y + c))))
        for c in (0.0, 2.0**40)
    )
    assert near == far


def test_a_constant_guess_of_the_mean_has_no_r2_and_no_correlation() -> None:
    y = np.array([1.1, 2.3, 3.7, 4.2])
    found = scores_of(Answered(Value("m"), [np.asarray(y.mean())] * 4, [np.asarray(v) for v in y]))
    np.testing.assert_allclose([found["R2"], found["bias"]], [0, 0], atol=1e-12)
    assert np.isnan(found["r"])


@every_answer
def test_the_main_measure_comes_first(answer: Answer) -> None:
    assert next(iter(scores_of(answered(answer)))) == MAIN[type(answer)]


@every_answer
def test_of_nothing_known_every_measure_is_unknown(answer: Answer) -> None:
    assert all(np.isnan(score) for score in measures(answer, Sums()).values())


def test_a_class_that_is_neither_there_nor_answered_leaves_the_mean_alone() -> None:
    truth = np.array([[0, 1], [1, 1]])
    said = np.array([[0, 1], [1, 0]])
    found = [
        scores_of(Answered(ClassMap(names), [np.moveaxis(np.eye(len(names))[said], -1, 0)], [truth]))
        for names in (("a", "b"), ("a", "b", "c"))
    ]
    assert found[0]["mIoU"] == found[1]["mIoU"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert np.isnan(found[1]["IoU c"])


def test_a_class_that_is_answered_and_nowhere_there_counts_as_zero() -> None:
    p = np.moveaxis(np.eye(3)[np.array([[0, 2]])], -1, 0)
    found = scores_of(Answered(ClassMap(("a", "b", "c")), [p], [np.array([[0, 0]])]))
    assert found["mIoU"] == 0.25


@every_answer
@pytest.mark.parametrize("batch", [1, 4, 16])
def test_the_official_score_is_torchmetrics_batch_by_batch(answer: Answer, batch: int) -> None:
    some = answered(answer, items=30)
    p, y = torch.tensor(np.array(some.predictions)), torch.tensor(np.array(some.truths))

    def scored(p: torch.Tensor, y: torch.Tensor) -> float:
        match answer:
            case OneOf():
                return float((p.argmax(1) == y).double().mean())
            case AnyOf():
                return float(tm.multilabel_average_precision(p, y.long(), num_labels=5, average="micro"))
            case ClassMap():
                return float(jaccard_index(p, y, task="multiclass", num_classes=5, ignore_index=IGNORE))
            case _:
                return float((p.double() - y.double()).square().nanmean().sqrt())

    parts = list(zip(p.split(batch), y.split(batch), strict=True))
    expected = np.average([scored(*part) for part in parts], weights=[len(part[0]) for part in parts])
    assert official(answer, some.predictions, some.truths, batch) == pytest.approx(expected, rel=1e-5)


def test_averaging_per_batch_pushes_the_mean_iou_of_23_classes_from_0446_to_0377_and_0210() -> None:
    some = patchy()
    per_item = some.per_item
    found = [measures(some.answer, total(per_item))["mIoU"], *(official_of(some.answer, per_item, b) for b in (16, 4))]
    np.testing.assert_allclose(found, [0.446, 0.377, 0.210], atol=0.005)


def test_a_batch_without_any_label_counts_as_zero_where_the_official_score_averages() -> None:
    p, y = [np.array([0.9, 0.1])] * 2, [np.array([True, False]), np.array([False, False])]
    assert official(AnyOf(("a", "b")), p, y, 1) == 0.5


def test_a_batch_without_any_known_value_makes_the_official_score_unknown() -> None:
    assert np.isnan(official(Value("m"), [np.array(1.0)] * 2, [np.array(1.0), np.array(np.nan)], 1))


def test_in_one_batch_the_official_score_is_the_score() -> None:
    some = patchy(items=16)
    assert official_of(some.answer, some.per_item, 16) == scores_of(some)["mIoU"]


def test_the_official_score_of_one_class_per_item_does_not_depend_on_batches() -> None:
    some = answered(OneOf(NAMES), items=30)
    assert official_of(some.answer, some.per_item, 4) == pytest.approx(scores_of(some)["OA"], rel=1e-12)


@pytest.mark.parametrize(("items", "batch"), [(0, 4), (3, 0)])
def test_batches_of_nothing_have_no_official_score(items: int, batch: int) -> None:
    with pytest.raises(OutOfRange, match=f"{items} items in batches of {batch}"):
        official_of(Value("m"), answered(Value("m")).per_item[:items], batch)


@every_answer
def test_an_interval_holds_the_score_of_all_items(answer: Answer) -> None:
    per_item = answered(answer, items=60).per_item
    scores = measures(answer, total(per_item))
    found = bootstrap(answer, per_item, None, np.random.default_rng(0), 200)
    assert list(found) == list(scores)
    interval = found[MAIN[type(answer)]]
    assert interval.mean == scores[MAIN[type(answer)]]
    assert interval.low < interval.mean < interval.high


def test_the_interval_of_a_share_has_the_width_of_the_central_limit() -> None:
    right = np.random.default_rng(0).random(400) < 0.7
    per_item = [tally(OneOf(("a", "b")), np.array([0.9, 0.1]), np.array(int(not r))) for r in right]
    found = bootstrap(OneOf(("a", "b")), per_item, None, np.random.default_rng(1))["OA"]
    assert found.high - found.low == pytest.approx(2 * 1.96 * right.std() / 20, rel=0.1)


@every_answer
def test_a_draw_is_the_score_of_the_items_drawn(answer: Answer) -> None:
    per_item = answered(answer, items=12).per_item
    draw = np.random.default_rng(3).multinomial(12, np.full(12, 1 / 12), size=1)[0]
    found = bootstrap(answer, per_item, None, np.random.default_rng(3), 1)
    drawn = measures(answer, total(s for s, times in zip(per_item, draw, strict=True) for _ in range(times)))
    lows = [found[name].low for name in drawn]
    np.testing.assert_allclose(lows, list(drawn.values()), rtol=1e-9)


def test_items_of_one_group_are_drawn_together() -> None:
    per_item = answered(OneOf(NAMES), items=20).per_item
    copies = [s for s in per_item for _ in range(5)]
    alone = bootstrap(OneOf(NAMES), per_item, None, np.random.default_rng(0), 100)["OA"]
    grouped = bootstrap(OneOf(NAMES), copies, np.arange(100) // 5, np.random.default_rng(0), 100)["OA"]
    np.testing.assert_allclose([alone.low, alone.high], [grouped.low, grouped.high])


def test_one_group_alone_has_a_score_and_no_interval() -> None:
    found = bootstrap(Value("m"), answered(Value("m"), items=4).per_item, ["here"] * 4, np.random.default_rng(0), 10)
    assert found["RMSE"].mean > 0
    assert np.isnan([found["RMSE"].low, found["RMSE"].high]).all()


@every_answer
def test_a_model_differs_from_itself_by_nothing(answer: Answer) -> None:
    per_item = answered(answer).per_item
    found = paired(answer, per_item, per_item, None, np.random.default_rng(0), 20)[MAIN[type(answer)]]
    assert (found.low, found.mean, found.high) == (0, 0, 0)


def test_a_paired_interval_is_narrower_than_that_of_either() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=200)
    hard = rng.normal(size=200) * rng.lognormal(0, 1, 200)
    ours, theirs = (Answered(Value("m"), list(np.asarray(y + k * hard)), list(y)).per_item for k in (1.0, 1.1))
    found = paired(Value("m"), ours, theirs, None, np.random.default_rng(1), 200)["RMSE"]
    alone = bootstrap(Value("m"), ours, None, np.random.default_rng(1), 200)["RMSE"]
    assert found.sure
    assert found.high - found.low < (alone.high - alone.low) / 5


def test_models_that_were_asked_different_items_are_not_compared() -> None:
    items = answered(Value("m"), items=4).per_item
    with pytest.raises(OutOfRange, match="4 items were compared with 3"):
        paired(Value("m"), items, items[:3], None, np.random.default_rng(0))


@pytest.mark.parametrize("answer", [OneOf(("a", "b")), Value("m")], ids=["OneOf", "Value"])
def test_the_worst_region_is_where_most_is_wrong(answer: Answer) -> None:
    wrong = [0, 0, 1, 1, 0, 1]
    if isinstance(answer, OneOf):
        per_item = [tally(answer, np.eye(2)[w], np.array(0)) for w in wrong]
    else:
        per_item = [tally(answer, np.array(float(w)), np.array(0.0)) for w in wrong]
    found = worst(answer, per_item, np.array(["north", "north", "south", "south", "east", "east"]))
    assert found is not None
    assert (found.name, found.items) == ("south", 2)
    assert [r.name for r in regional(answer, per_item, [3, 3, 1, 1, 2, 2])] == [3, 1, 2]


def test_regions_of_few_items_are_not_the_worst() -> None:
    per_item = [tally(Value("m"), np.array(e), np.array(0.0)) for e in (1.0, 1.0, 9.0)]
    assert worst(Value("m"), per_item, ["many", "many", "few"], least=2).name == "many"
    assert worst(Value("m"), per_item, ["many", "many", "few"], least=3) is None


def test_one_region_must_be_given_for_each_item() -> None:
    with pytest.raises(OutOfRange, match="1 names were given for 2 items"):
        regional(Value("m"), answered(Value("m"), items=2).per_item, ["here"])
