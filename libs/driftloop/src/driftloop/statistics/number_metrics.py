"""Metrics of predicted numbers. Errors are label − prediction, in the target's unit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from driftloop.statistics.optional_numpy import np
from driftloop.statistics.task_metric import Form, Metric, Parameter, Weighted
from driftloop.statistics.weighted_rows import mean, ratio

if TYPE_CHECKING:
    from driftloop.statistics.task_metric import Floats, Values


def _r2(labels: Values, predictions: Values) -> Weighted | None:
    """Coefficient of determination: 1 − residual over total sum of squares. Below 0: worse than the mean."""
    y = np.asarray(labels, dtype=np.float64)
    if len(y) < 2 or np.all(y == y[0]):
        return None
    residual = (y - np.asarray(predictions, dtype=np.float64)) ** 2

    def weighted(weights: Floats) -> float | None:
        held = y[weights > 0]
        if np.all(held == held[0]):  # else the rounding of the mean would stand for the total
            return None
        mean_label = (weights * y).sum() / weights.sum()
        unexplained = ratio(float((weights * residual).sum()), float((weights * (y - mean_label) ** 2).sum()))
        return None if unexplained is None else 1 - unexplained

    return weighted


def _mae(labels: Values, predictions: Values) -> Weighted:
    """Mean absolute error."""
    error = np.abs(_errors(labels, predictions))
    return lambda weights: mean(weights, error)


def _rmse(labels: Values, predictions: Values) -> Weighted:
    """Root of the mean squared error."""
    squared = _errors(labels, predictions) ** 2

    def weighted(weights: Floats) -> float | None:
        found = mean(weights, squared)
        return None if found is None else math.sqrt(found)

    return weighted


def _mape(labels: Values, predictions: Values) -> Weighted:
    """Mean of |error| / |label|, 1 for 100 % (de Myttenaere et al. 2016); not defined with a label of 0."""
    size = np.abs(np.asarray(labels, dtype=np.float64))
    nothing = size < np.finfo(np.float64).eps
    error = np.abs(_errors(labels, predictions)) / np.where(nothing, 1.0, size)
    return lambda weights: None if weights[nothing].any() else mean(weights, error)


def _pinball(quantile: float, labels: Values, predictions: Values) -> Weighted:
    """Mean of quantile · error where the prediction is too low, (quantile − 1) · error where it is too high.

    Least when the quantile of the label is predicted (Koenker and Bassett 1978).
    """
    error = _errors(labels, predictions)
    loss = np.maximum(quantile * error, (quantile - 1) * error)
    return lambda weights: mean(weights, loss)


def _errors(labels: Values, predictions: Values) -> Floats:
    return np.asarray(labels, dtype=np.float64) - np.asarray(predictions, dtype=np.float64)


ROWS = (
    Metric(
        "r2",
        {"regression": Form("predictions", _r2)},
        greater_is_better=True,
        undefined="whose labels are all the same",
        meaning="coefficient of determination: share of the variance that is explained",
        proposed_for=("regression",),
    ),
    Metric(
        "mae",
        {"regression": Form("predictions", _mae)},
        greater_is_better=False,
        undefined="",
        meaning="mean absolute error, in the target's unit",
    ),
    Metric(
        "rmse",
        {"regression": Form("predictions", _rmse)},
        greater_is_better=False,
        undefined="",
        meaning="root of the mean squared error, in the target's unit",
    ),
    Metric(
        "mape",
        {"regression": Form("predictions", _mape)},
        greater_is_better=False,
        undefined="with a label of 0",
        meaning="mean absolute error as a share of the label, 1 for 100 %",
    ),
    Metric(
        "pinball",
        {"regression": Form("predictions", _pinball)},
        greater_is_better=False,
        undefined="",
        meaning="loss of predicting a quantile, in the target's unit; the quantile, between 0 and 1, is part of the name",
        parameter=Parameter("quantile", 0.0, 1.0, example="0.9"),
    ),
)
