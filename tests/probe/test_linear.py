import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from armillary.probe.linear import Scale, classify, logistic, regress
from armillary.probe.splits import Split, folds

RNG = np.random.default_rng(0)
Y = np.repeat(np.arange(3), 20)
X = RNG.normal(size=(60, 8)) + 3 * np.eye(8)[Y]
SPLIT = folds(Y, 3, np.random.default_rng(1))[0]


def _mean_right(x: np.ndarray) -> float:
    return float((classify(x, Y, SPLIT) == Y[SPLIT.test]).mean())


def test_separated_classes_are_told_apart_and_noise_is_not() -> None:
    assert _mean_right(X) > 0.9
    assert _mean_right(RNG.normal(size=(60, 8))) < 0.6


def test_probabilities_are_those_of_scikit_learn_on_unrotated_features() -> None:
    x = np.concatenate([X, RNG.normal(size=(60, 100))], axis=1)  # more features than items
    scale, plain = Scale.of(x[SPLIT.train]), StandardScaler().fit(x[SPLIT.train])
    ours = logistic(scale(x[SPLIT.train]), Y[SPLIT.train], 0.3, steepness=1e-8)
    theirs = LogisticRegression(C=0.3, tol=1e-8, max_iter=5000).fit(plain.transform(x[SPLIT.train]), Y[SPLIT.train])
    expected = theirs.predict_proba(plain.transform(x[SPLIT.test]))
    np.testing.assert_allclose(np.exp(ours.log_shares(scale(x[SPLIT.test]))), expected, atol=1e-4)


def test_one_penalty_gives_the_ridge_regression_of_standardised_features() -> None:
    y = X @ RNG.normal(size=8) + RNG.normal(size=60)
    plain = StandardScaler().fit(X[SPLIT.train])
    expected = Ridge(10.0).fit(plain.transform(X[SPLIT.train]), y[SPLIT.train]).predict(plain.transform(X[SPLIT.test]))
    np.testing.assert_allclose(regress(X, y, SPLIT, penalties=(10.0,)), expected, atol=1e-8)


def test_units_of_features_change_no_answer() -> None:
    units, shift = RNG.uniform(0.01, 100, size=8), RNG.normal(size=8)
    assert np.array_equal(classify(X * units + shift, Y, SPLIT), classify(X, Y, SPLIT))


def test_answers_do_not_see_the_truth_of_the_items_that_are_asked() -> None:
    other = Y.copy()
    other[SPLIT.test] = (other[SPLIT.test] + 1) % 3
    assert np.array_equal(classify(X, other, SPLIT), classify(X, Y, SPLIT))


def test_answers_do_not_depend_on_which_others_are_asked() -> None:
    alone = Split(SPLIT.train, SPLIT.test[:1])
    assert classify(X, Y, alone)[0] == classify(X, Y, SPLIT)[0]


def test_a_penalty_chosen_across_groups_does_not_learn_the_groups() -> None:
    groups = np.arange(120) // 10
    level = RNG.normal(size=12)[groups]
    names = np.eye(12)[groups] + 0.01 * RNG.normal(size=(120, 12))  # features that only name the group
    split = Split(np.arange(80), np.arange(80, 120))
    apart = regress(names, level, split, groups=groups) - level[split.test]
    alike = regress(names, level, split) - level[split.test]
    assert np.square(apart).mean() <= np.square(alike).mean()
    assert np.square(apart).mean() < 1.5 * np.square(level[split.test] - level[split.train].mean()).mean()


def test_a_class_that_lies_in_one_group_can_still_be_learned() -> None:
    groups = np.where(Y == 0, 0, 1 + np.arange(60) % 5)
    split = folds(Y, 3, np.random.default_rng(1))[0]
    assert (classify(X, Y, split, groups=groups) == Y[split.test]).mean() > 0.9


def test_a_missing_number_counts_as_the_mean_of_its_feature() -> None:
    holed = X.copy()
    holed[SPLIT.test[0], 3] = np.nan
    filled = holed.copy()
    filled[SPLIT.test[0], 3] = X[SPLIT.train, 3].mean()
    assert np.array_equal(classify(holed, Y, SPLIT), classify(filled, Y, SPLIT))
