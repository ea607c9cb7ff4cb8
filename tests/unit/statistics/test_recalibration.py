"""Corrections of a model's answers: what is estimated, how it is weakened, and what it does to answers of any kind."""

import math
from typing import Any

import hypothesis.strategies as st
import msgspec
import numpy as np
import pytest
from hypothesis import given

from driftloop.contracts.recalibration import Recalibration
from driftloop.statistics.metrics import ModelOutput
from driftloop.statistics.recalibration import KIND, PSEUDO_ROWS, STRENGTHS, apply, at_strength, estimate, losses, wrong

CLASSES = ("ant", "bee", "cat")
SHIFT = Recalibration(kind="shift", strength=1.0, shift=3.0)
PRIORS = Recalibration(kind="priors", strength=1.0, classes=("ant", "cat"), weights=(4.0, 0.25))
LOGIT = Recalibration(kind="logit", strength=1.0, intercept=1.0, slope=0.5)


def numbers(values: Any, kind: str = "f8") -> ModelOutput:
    array = np.asarray(values, dtype=kind)
    return ModelOutput(array, array)


def scores(values: Any) -> ModelOutput:
    array = np.asarray(values, dtype=np.float64)
    return ModelOutput(array >= 0.5, array)


def several(probabilities: Any) -> ModelOutput:
    found = np.asarray(probabilities, dtype=np.float64)
    best = found.argmax(axis=1)
    return ModelOutput(np.array(CLASSES, dtype=object)[best], found[np.arange(len(best)), best], found, CLASSES)


seeds = st.integers(0, 2**32 - 1)


def any_rows(task: str, seed: int, n: int = 60) -> tuple[Any, ModelOutput]:
    """Labels and answers that are biased against them, with ties and extremes."""
    rng = np.random.default_rng(seed)
    if task == "regression":
        said = rng.normal(0, 10.0 ** rng.integers(-3, 6), n)
        return said + rng.normal(rng.normal(), 1, n), numbers(said)
    if task == "binary":
        said = np.clip(rng.beta(0.5, 0.5, n).round(int(rng.integers(1, 17))), 0, 1)
        labels = rng.random(n) < said * rng.random()
        labels[:2] = True, False
        return labels, scores(said)
    found = rng.dirichlet([0.3, 0.3, 0.3], n)
    found[0] = 0, 0, 1
    return rng.choice([*CLASSES, "dog"], n), several(found)


def same(one: ModelOutput, other: ModelOutput) -> bool:
    pairs = zip(one[:3], other[:3], strict=True)
    return all((a is None and b is None) or np.array_equal(np.asarray(a), np.asarray(b)) for a, b in pairs) and one.classes == other.classes


def test_the_shift_is_the_mean_residual_and_half_of_it_is_half() -> None:
    full = estimate("regression", np.array([3.0, 5.0, 10.0]), numbers([1.0, 4.0, 4.0]))
    assert full == SHIFT
    half = at_strength(full, 0.5)
    assert half == Recalibration(kind="shift", strength=0.5, shift=1.5)
    assert apply(half, numbers([1.0, -1.0])).predictions.tolist() == [2.5, 0.5]
    # residuals 2, 1, 6: squares 41, with 1.5 taken off 20.75, with 3 taken off 14
    assert losses("regression", np.array([3.0, 5.0, 10.0]), numbers([1.0, 4.0, 4.0]), full) == pytest.approx((41 / 3, 20.75 / 3, 14 / 3))


def test_a_class_weighs_as_many_rows_as_it_had_over_as_many_as_were_expected() -> None:
    labels = np.array(["ant"] * 250 + ["bee"] * 50 + ["dog"] * 50)
    full = estimate("multiclass", labels, several(np.tile([0.2, 0.4, 0.4], (350, 1))))
    assert full is not None
    assert full.classes == CLASSES  # the model knows nothing of dogs
    assert full.weights == pytest.approx(
        ((250 + PSEUDO_ROWS) / (70 + PSEUDO_ROWS), (50 + PSEUDO_ROWS) / (140 + PSEUDO_ROWS), PSEUDO_ROWS / (140 + PSEUDO_ROWS))
    )


def test_corrected_probabilities_are_weighted_and_divided_by_their_sum() -> None:
    found = apply(PRIORS, several([[0.2, 0.2, 0.6], [0.5, 0.5, 0.0]]))  # weights 4, 1 for the bee that is not named, ¼
    assert found.probabilities is not None
    assert found.probabilities.tolist() == pytest.approx(np.array([[0.8, 0.2, 0.15], [2.0, 0.5, 0.0]]) / [[1.15], [2.5]])
    assert found.predictions.tolist() == ["ant", "ant"]
    assert found.scores.tolist() == pytest.approx([0.8 / 1.15, 0.8])
    half = at_strength(PRIORS, 0.5)
    assert half is not None
    assert half.weights == (2.0, 0.5)


def test_among_equal_classes_the_first_in_the_order_of_names_is_predicted() -> None:
    even = Recalibration(kind="priors", strength=1.0, classes=CLASSES, weights=(2.0, 4.0, 1.0))
    assert apply(even, several([[0.4, 0.2, 0.4]])).predictions.tolist() == ["ant"]


def test_a_score_that_is_too_low_throughout_is_lifted_and_its_prediction_with_it() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, 20_000)
    labels = rng.random(20_000) < 1 / (1 + np.exp(-(0.8 + 0.6 * logits)))
    full = estimate("binary", labels, scores(1 / (1 + np.exp(-logits))))
    assert full is not None
    assert (full.intercept, full.slope) == (pytest.approx(0.8, abs=0.08), pytest.approx(0.6, abs=0.05))
    half = at_strength(full, 0.5)
    assert half is not None
    assert half.intercept is not msgspec.UNSET
    assert half.slope == pytest.approx(1 + (full.slope - 1) / 2)
    moved = apply(LOGIT, scores([0.5, 0.1, 0.9]))
    assert moved.scores.tolist() == pytest.approx([1 / (1 + math.exp(-(1 + 0.5 * x))) for x in (0.0, math.log(1 / 9), math.log(9))])
    assert moved.predictions.tolist() == [True, False, True]


def test_intercept_and_slope_are_those_of_a_logistic_regression_with_a_ridge() -> None:
    """The gradient of the penalised likelihood is 0 where it has its best value."""
    labels, said = any_rows("binary", 11, 500)
    full = estimate("binary", labels, said)
    assert full is not None
    x = np.log(np.clip(said.scores, 1e-6, 1 - 1e-6) / (1 - np.clip(said.scores, 1e-6, 1 - 1e-6)))
    left = labels - 1 / (1 + np.exp(-(full.intercept + full.slope * x)))
    ridge = PSEUDO_ROWS / 4
    assert [left.sum() - ridge * full.intercept, (left * x).sum() - ridge * (full.slope - 1)] == pytest.approx([0, 0], abs=1e-5)


@given(seeds)
def test_a_binary_correction_keeps_the_order_and_with_it_the_area_under_the_curve(seed: int) -> None:
    labels, said = any_rows("binary", seed)
    full = estimate("binary", labels, said)
    if full is None:
        return
    corrected = apply(full, said).scores
    order = np.argsort(said.scores, kind="stable")
    assert (np.diff(corrected[order]) >= 0).all()


@pytest.mark.parametrize("task", KIND)
@given(seeds)
def test_without_strength_nothing_changes(task: Any, seed: int) -> None:
    labels, said = any_rows(task, seed)
    full = estimate(task, labels, said)
    assert full is None or at_strength(full, 0.0) is None
    assert same(apply(None, said), said)


@pytest.mark.parametrize("task", KIND)
@given(seeds)
def test_what_was_estimated_can_be_told_to_the_registry(task: Any, seed: int) -> None:
    full = estimate(task, *any_rows(task, seed))
    for strength in STRENGTHS[1:]:
        weakened = None if full is None else at_strength(full, strength)
        assert weakened is None or wrong(weakened, task) is None


@pytest.mark.parametrize("task", KIND)
@given(seeds, st.sampled_from(STRENGTHS))
def test_finite_answers_stay_finite_and_consistent(task: Any, seed: int, strength: float) -> None:
    labels, said = any_rows(task, seed)
    full = estimate(task, labels, said)
    if full is None:
        return
    found = apply(at_strength(full, strength), said)
    assert np.isfinite(found.scores).all()
    assert (found.scores.dtype, np.asarray(found.predictions).dtype) == (said.scores.dtype, np.asarray(said.predictions).dtype)
    if task == "regression":
        assert np.array_equal(found.predictions, found.scores)
    if task == "binary":
        assert np.array_equal(found.predictions, found.scores >= 0.5)
    if found.probabilities is not None:
        assert found.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-12)
        assert np.array_equal(found.scores, found.probabilities.max(axis=1))
        assert found.predictions.tolist() == [CLASSES[best] for best in found.probabilities.argmax(axis=1)]


@pytest.mark.parametrize("task", KIND)
@given(seeds)
def test_the_order_of_rows_does_not_matter(task: Any, seed: int) -> None:
    labels, said = any_rows(task, seed)
    order = np.random.default_rng(seed).permutation(len(labels))
    assert estimate(task, labels, said) == estimate(task, labels[order], said.where(order))


@pytest.mark.parametrize("task", KIND)
@given(seeds)
def test_on_the_rows_that_it_was_estimated_on_the_whole_correction_loses_less(task: Any, seed: int) -> None:
    labels, said = any_rows(task, seed, 400)
    full = estimate(task, labels, said)
    if full is None:
        return
    lost = losses(task, labels, said, full)
    assert lost is not None
    none, _, whole = lost
    slack = 1e-9 * max(1.0, none) if task != "multiclass" else 0.02  # of classes: one step towards the priors, not the best of them
    assert whole <= none + slack


def test_numbers_at_the_end_of_their_range_do_not_become_endless() -> None:
    most = np.finfo(np.float64).max
    found = apply(Recalibration(kind="shift", strength=1.0, shift=most), numbers([most, 1.0, np.nan, -np.inf]))
    assert found.scores.tolist()[:2] == [most, most]
    assert math.isnan(found.scores[2])
    assert found.scores[3] == -np.inf  # a row without a finite score stays one
    single = apply(SHIFT, numbers([1.5], "f4"))
    assert (single.scores.dtype, single.scores.tolist()) == (np.float32, [4.5])
    sure = apply(Recalibration(kind="logit", strength=1.0, intercept=1e6, slope=1.0), scores([0.0, 1.0, np.nan]))
    assert sure.scores[:2].tolist() == [1.0, 1.0]
    assert math.isnan(sure.scores[2])


def test_a_row_without_probabilities_keeps_what_it_has() -> None:
    said = several([[0.2, 0.2, 0.6], [0.0, 0.0, 0.0], [np.nan, np.nan, np.nan]])
    found = apply(PRIORS, said)
    assert found.probabilities is not None
    assert found.probabilities[1].tolist() == [0.0, 0.0, 0.0]
    assert np.isnan(found.probabilities[2]).all()
    assert found.predictions.tolist()[1:] == said.predictions.tolist()[1:]
    bare = said._replace(probabilities=None)
    assert apply(PRIORS, bare) is bare


@pytest.mark.parametrize(
    ("task", "labels", "said"),
    [
        ("regression", [], numbers([])),
        ("regression", [1.0, np.nan], numbers([1.0, 2.0])),
        ("regression", [1.0, 2.0], numbers([1.0, np.inf])),
        ("regression", [1e308, 1e308], numbers([-1e308, -1e308])),
        ("binary", [True, True], scores([0.2, 0.3])),
        ("binary", [True, False], scores([0.2, 1.3])),
        ("binary", [], scores([])),
        ("multiclass", ["ant"], several([[1.0, 0.0, 0.0]])._replace(probabilities=None)),
        ("multiclass", ["ant"], ModelOutput(np.array(["ant"], object), np.ones(1), np.ones((1, 1)), ("ant",))),
        ("multiclass", [], several(np.zeros((0, 3)))),
    ],
)
def test_where_there_is_nothing_to_be_estimated_there_is_no_correction(task: Any, labels: list[Any], said: ModelOutput) -> None:
    assert estimate(task, np.array(labels), said) is None


def test_scores_that_say_the_opposite_of_the_labels_are_not_turned_round() -> None:
    rng = np.random.default_rng(1)
    said = rng.random(3000)
    assert estimate("binary", rng.random(3000) > said, scores(said)) is None


def test_losses_of_rows_without_a_number_are_not_defined() -> None:
    assert losses("regression", np.array([]), numbers([]), SHIFT) is None
    assert losses("regression", np.array([np.nan]), numbers([1.0]), SHIFT) is None
    assert losses("multiclass", np.array(["ant"]), several([[1.0, 0, 0]])._replace(probabilities=None), PRIORS) is None


def test_a_label_whose_class_the_model_does_not_know_costs_a_bounded_loss() -> None:
    lost = losses("multiclass", np.array(["dog", "ant"]), several([[0.2, 0.2, 0.6], [1.0, 0.0, 0.0]]), PRIORS)
    assert lost is not None
    assert lost[0] == pytest.approx(-math.log(1e-6) / 2)


def test_there_are_three_strengths() -> None:
    with pytest.raises(ValueError, match=r"strength of 0\.3; there are 0, 0.5, 1"):
        at_strength(SHIFT, 0.3)


CHANGES: list[tuple[Recalibration, dict[str, Any], str]] = [
    (SHIFT, {"strength": 0.3}, "strength 0.3"),
    (SHIFT, {"strength": math.nan}, "strength nan"),
    (SHIFT, {"shift": math.nan}, "shift is no finite number"),
    (SHIFT, {"shift": msgspec.UNSET}, "without shift"),
    (SHIFT, {"slope": 1.0}, "with slope"),
    (SHIFT, {"kind": "logit"}, "kind logit"),
    (PRIORS, {"weights": (1.0,)}, "1 weights for 2 classes"),
    (PRIORS, {"weights": (1.0, 0.0)}, "weight 0 does not lie"),
    (PRIORS, {"weights": (1.0, math.inf)}, "weight inf does not lie"),
    (PRIORS, {"weights": (1.0, math.nan)}, "weight nan does not lie"),
    (PRIORS, {"classes": ("ant", "ant")}, "named twice"),
    (PRIORS, {"classes": (), "weights": ()}, "0 classes"),
    (PRIORS, {"classes": tuple(map(str, range(1001))), "weights": (1.0,) * 1001}, "1001 classes"),
    (PRIORS, {"classes": msgspec.UNSET}, "without classes"),
    (LOGIT, {"slope": 0.0}, "slope 0 does not lie"),
    (LOGIT, {"slope": -1.0}, "slope -1 does not lie"),
    (LOGIT, {"intercept": math.inf}, "intercept is no finite number"),
    (LOGIT, {"intercept": msgspec.UNSET}, "without intercept"),
]


@pytest.mark.parametrize(("good", "change", "reason"), CHANGES)
def test_numbers_that_can_be_no_correction_are_named(good: Recalibration, change: dict[str, Any], reason: str) -> None:
    assert wrong(good) is None
    assert reason in (wrong(msgspec.structs.replace(good, **change)) or "")


def test_a_correction_is_of_one_task() -> None:
    assert [wrong(each, "multiclass") for each in (SHIFT, PRIORS, LOGIT)] == [
        "a correction of kind shift for a target whose task is multiclass",
        None,
        "a correction of kind logit for a target whose task is multiclass",
    ]
