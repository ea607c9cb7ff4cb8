"""Rows of the lake as a metric needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from driftloop.contracts.class_probabilities import PROBABILITIES
from driftloop.rows import probabilities
from driftloop.rows.schemas import holds_probabilities
from driftloop.statistics.task_metric import ModelOutput, TaskMetric

if TYPE_CHECKING:
    from driftloop.statistics.task_metric import Values


class Measurable(NamedTuple):
    """Labels and what was said of the same rows, n of each."""

    labels: Values
    output: ModelOutput


def measurable(labelled: pa.Table, metric: TaskMetric) -> Measurable:
    """Those of some labelled rows that were scored and, where the metric needs class probabilities, have them: rows of earlier
    programs do not, nor do those of a model whose classes cannot be recorded. ``labelled`` has the columns label, prediction,
    score and, if it was recorded, PROBABILITIES."""
    rows = _usable(labelled, metric)
    return Measurable(rows.column("label").to_numpy(), _output(rows, metric))


def outputs(rows: pa.Table, metric: TaskMetric) -> ModelOutput:
    """What was said of those rows that ``measurable`` would take if they were labelled."""
    return _output(_usable(rows, metric), metric)


def _usable(rows: pa.Table, metric: TaskMetric) -> pa.Table:
    rows = rows.filter(rows.column("score").is_valid())
    if metric.form.needs != "probabilities":
        return rows
    return rows.filter(rows.column(PROBABILITIES).is_valid()) if holds_probabilities(rows.schema) else rows.slice(0, 0)


def _output(rows: pa.Table, metric: TaskMetric) -> ModelOutput:
    wanted = metric.form.needs == "probabilities" and rows.num_rows
    found = probabilities.matrix(rows.column(PROBABILITIES)) if wanted else None
    classes, values = found if found is not None else ((), None)
    return ModelOutput(rows.column("prediction").to_numpy(), rows.column("score").to_numpy(), values, classes)
