"""The metrics of a model, one row each, and how a project names them.

A new metric is its formula and its row, next to each other in ``score_metrics``, ``class_metrics`` or ``number_metrics``. The
check of ``driftloop.toml``, training, gate, monitor, policy, demo and the reference page read the table.
"""

from __future__ import annotations

from driftloop.contracts.column_types import TARGET_TASKS, Task
from driftloop.statistics import class_metrics, number_metrics, score_metrics
from driftloop.statistics.task_metric import Metric, ModelOutput, Need, TaskMetric

METRICS: dict[str, Metric] = {row.name: row for row in (*score_metrics.ROWS, *class_metrics.ROWS, *number_metrics.ROWS)}

# What is recorded of a model's answers, in the lake as in training: a project may declare what can be computed from it.
RECORDED: frozenset[Need] = frozenset({"scores", "predictions", "probabilities"})

# The type of target that makes the task, as a project declares it.
TARGETS = {task: name for name, task in TARGET_TASKS.items()}


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
        raise NoSuchMetric(f"{name} does not measure a {TARGETS[task]} target; use {_choices(task)}")
    return TaskMetric(name, task, row, _parameter(row, name))


def proposed(task: Task) -> str:
    """The metric that a project with this task begins with, where nobody names another."""
    return next(row.written for row in METRICS.values() if task in row.proposed_for)


def check_declared(name: str, task: Task) -> None:
    """Raises NoSuchMetric for a metric that a project cannot have, one included that needs what is not recorded."""
    needs = for_task(name, task).form.needs
    if needs not in RECORDED:
        raise NoSuchMetric(f"{name} of a {TARGETS[task]} target needs class {needs}, which are not recorded; use {_choices(task)}")


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


__all__ = [
    "METRICS",
    "RECORDED",
    "TARGETS",
    "ModelOutput",
    "NoSuchMetric",
    "TaskMetric",
    "check_declared",
    "declarable",
    "find",
    "for_task",
    "proposed",
]
