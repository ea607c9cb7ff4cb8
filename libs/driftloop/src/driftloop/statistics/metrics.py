"""The metrics of a model: one row each in ``METRICS``.

A new metric is its formula and its row. The check of ``driftloop.toml``, training, gate, monitor, policy, demo and the
reference page read the table.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from driftloop.contracts.column_types import TARGET_TASKS, Task
from driftloop.statistics.task_metric import Form, Metric, ModelOutput, Need, TaskMetric, Weighted

with suppress(ModuleNotFoundError):  # who only checks a project's metric has no numpy: the registry's image
    import numpy as np

if TYPE_CHECKING:
    from driftloop.statistics.task_metric import Floats, Values


# Formulas of weighted rows; element-wise sums, since BLAS threads cost more than they give at this size.


def _roc_auc(labels: Values, scores: Floats) -> Weighted | None:
    """Area under the ROC curve as the Mann–Whitney statistic; ties count half."""
    positive = np.asarray(labels, dtype=bool)
    if positive.all() or not positive.any():
        return None
    values = np.asarray(scores, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    first = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))
    hit = positive[order].astype(np.float64)

    def weighted(weights: Floats) -> float | None:
        w = weights[order]
        up = np.add.reduceat(w * hit, first)
        down = np.add.reduceat(w * (1 - hit), first)
        below = np.cumsum(down) - down
        return _ratio(float((up * (below + down / 2)).sum()), float(up.sum() * down.sum()))

    return weighted


def _accuracy(labels: Values, predictions: Values) -> Weighted:
    """Share of rows whose predicted class is the label."""
    right = (np.asarray(labels) == np.asarray(predictions)).astype(np.float64)
    return lambda weights: _mean(weights, right)


def _r2(labels: Values, predictions: Values) -> Weighted | None:
    """Coefficient of determination: 1 − residual over total sum of squares. Below 0: worse than the mean."""
    y = np.asarray(labels, dtype=np.float64)
    if len(y) < 2 or np.all(y == y[0]):
        return None
    residual = (y - np.asarray(predictions, dtype=np.float64)) ** 2

    def weighted(weights: Floats) -> float | None:
        held = y[weights > 0]
        if np.all(held == held[0]):  # else rounding of the mean would stand for the total
            return None
        mean = (weights * y).sum() / weights.sum()
        unexplained = _ratio(float((weights * residual).sum()), float((weights * (y - mean) ** 2).sum()))
        return None if unexplained is None else 1 - unexplained

    return weighted


def _mean(weights: Floats, values: Floats) -> float | None:
    return _ratio(float((weights * values).sum()), float(weights.sum()))


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


METRICS: dict[str, Metric] = {
    row.name: row
    for row in (
        Metric(
            "roc_auc",
            {"binary": Form("scores", _roc_auc)},
            greater_is_better=True,
            undefined="of one class",
            meaning="area under the ROC curve",
        ),
        Metric(
            "accuracy",
            {"binary": Form("predictions", _accuracy), "multiclass": Form("predictions", _accuracy)},
            greater_is_better=True,
            undefined="",
            meaning="share of rows whose predicted class is the label",
        ),
        Metric(
            "r2",
            {"regression": Form("predictions", _r2)},
            greater_is_better=True,
            undefined="with one label only",
            meaning="coefficient of determination",
        ),
    )
}

# What is recorded of a model's answers, in the lake as in training: a project may declare what can be computed from it.
# Class probabilities are not recorded; the metrics that need them are accepted once they stand here.
RECORDED: frozenset[Need] = frozenset({"scores", "predictions"})

_TARGETS = {task: name for name, task in TARGET_TASKS.items()}


class NoSuchMetric(ValueError):
    """A metric that a project cannot have; the message says why and which it can."""


def find(name: str) -> Metric:
    """The row of a metric, named as in a project or an event: ``mae``, ``pinball:0.9``. Raises NoSuchMetric."""
    row = METRICS.get(name.partition(":")[0])
    if row is None:
        raise NoSuchMetric(f"{name!r} is no metric; there are {', '.join(METRICS)}")
    return row


def for_task(name: str, task: Task) -> TaskMetric:
    """The metric of that name on rows of a task. Raises NoSuchMetric: an unknown name, another task's, a bad parameter."""
    row = METRICS.get(name.partition(":")[0])
    if row is None:
        raise NoSuchMetric(f"{name!r} is no metric; use {_choices(task)}")
    if task not in row.forms:
        raise NoSuchMetric(f"{name} does not measure a {_TARGETS[task]} target; use {_choices(task)}")
    return TaskMetric(name, task, row, _parameter(row, name))


def check_declared(name: str, task: Task) -> None:
    """Raises NoSuchMetric for a metric that a project cannot have, one included that needs what is not recorded."""
    needs = for_task(name, task).form.needs
    if needs not in RECORDED:
        raise NoSuchMetric(f"{name} of a {_TARGETS[task]} target needs {needs}, which are not recorded; use {_choices(task)}")


def declarable(task: Task) -> list[str]:
    """What a project with this task can write as its metric."""
    return [row.written for row in METRICS.values() if task in row.forms and row.forms[task].needs in RECORDED]


def _choices(task: Task) -> str:
    *others, last = declarable(task)
    return f"{', '.join(others)} or {last}" if others else last


def _parameter(row: Metric, name: str) -> float | None:
    _, colon, text = name.partition(":")
    wanted = row.parameter
    if wanted is None:
        if colon:
            raise NoSuchMetric(f"{row.name} takes nothing after its name; {name!r} has {text!r} there")
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not wanted.low < value < wanted.high:
        raise NoSuchMetric(f"{row.name} needs a {wanted.name} between {wanted.low:g} and {wanted.high:g}: write {row.written!r}")
    return value


__all__ = ["METRICS", "RECORDED", "ModelOutput", "NoSuchMetric", "TaskMetric", "check_declared", "declarable", "find", "for_task"]
