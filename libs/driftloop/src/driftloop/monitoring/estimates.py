"""How a classifier does on rows whose truth is not known, by what its own scores say. Pure.

A row is each label with the probability of that label, so the metric of weighted rows is the metric that is to be expected: exactly for
means over rows, as error and Brier score are, and for large windows for the others. It is right as far as the probabilities are, which
is why they are calibrated on held-out rows first, and why each estimate is measured once the truth is in. It cannot see that what features
mean for the label has changed (concept drift): that is what the labels are for. NannyML calls it confidence-based performance estimation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from driftloop.contracts.values import Estimate, Interval
from driftloop.project.model import Project
from driftloop.statistics.profile import CalibrationCurve
from driftloop.statistics.recorded import outputs
from driftloop.statistics.task_metric import ModelOutput, TaskMetric

if TYPE_CHECKING:
    from driftloop.statistics.task_metric import Floats, Values

MOST_CELLS = 500_000  # rows × classes × classes; more rows are thinned out evenly
ANOTHER = "\0another class"  # stands for all classes but the predicted one, of which no probability was recorded


def estimate(
    project: Project, rows: pa.Table, labelled: pa.Table, measured: Interval | None, curve: CalibrationCurve | None
) -> Estimate | None:
    """The project's metric on one version's ``rows``, labelled or not; None where it cannot be told: of a regression, of scores that are no
    probabilities, of several classes by a metric that needs more than is recorded. ``measured``: the truth on ``labelled``."""
    metric = project.task_metric
    found = expected(metric, outputs(rows, metric), curve)
    if found is None:
        return None
    on_labelled = None if measured is None else expected(metric, outputs(labelled, metric), curve)
    return Estimate(
        value=found,
        calibrated=curve is not None,
        error=None if on_labelled is None or measured is None else on_labelled - measured.value,
    )


def expected(metric: TaskMetric, output: ModelOutput, curve: CalibrationCurve | None) -> float | None:
    """The metric if each row has each label with the probability that its score says, calibrated by ``curve`` if there is one."""
    n = len(output.scores)
    if metric.task == "regression" or not n or not np.all((output.scores >= 0) & (output.scores <= 1)):
        return None
    sure = calibrated(output.scores, curve)
    if metric.task == "binary":
        return _weighted(metric, output, [(np.ones(n, bool), sure), (np.zeros(n, bool), 1 - sure)])
    if output.probabilities is not None:
        output, sure = _thinned(output, sure)
        each = _classes(output, sure)
        return _weighted(metric, output, [(np.full(len(sure), name, object), each[:, k]) for k, name in enumerate(output.classes)])
    if metric.metric.of_hits:
        wrong = np.full(n, ANOTHER, object)
        return _weighted(metric, output, [(np.asarray(output.predictions, object), sure), (wrong, 1 - sure)])
    return None


def calibrated(scores: Floats, curve: CalibrationCurve | None) -> Floats:
    """The share of positives that held-out rows with such scores had; between the curve's points in proportion, the scores as they are
    without one. n scores in [0, 1], n shares in [0, 1]."""
    if curve is None or not curve.scores:
        return np.asarray(scores, np.float64)
    return np.clip(np.interp(scores, curve.scores, curve.positives), 0.0, 1.0)


def _weighted(metric: TaskMetric, output: ModelOutput, ways: Sequence[tuple[Values, Floats]]) -> float | None:
    """Each way gives all rows a label, with the probability of it."""
    labels, weights = (np.concatenate(parts) for parts in zip(*ways, strict=True))
    predictions: Values = np.concatenate([output.predictions] * len(ways))
    again = ModelOutput(
        predictions,
        np.tile(output.scores, len(ways)),
        None if output.probabilities is None else np.tile(output.probabilities, (len(ways), 1)),
        output.classes,
    )
    weighted = metric.weighted(labels, again)
    return None if weighted is None else weighted(weights)


def _classes(output: ModelOutput, sure: Floats) -> Floats:
    """Class probabilities whose predicted class has what calibration says of it; the others share what is left as they did before."""
    assert output.probabilities is not None
    place = np.array([output.classes.index(name) if name in output.classes else -1 for name in output.predictions])
    each, rows = output.probabilities.copy(), np.flatnonzero(place >= 0)
    before = each[rows, place[rows]]
    left = np.where(before < 1, (1 - sure[rows]) / np.where(before < 1, 1 - before, 1), 0.0)
    each[rows] *= left[:, None]
    each[rows, place[rows]] = sure[rows]
    return each


def _thinned(output: ModelOutput, sure: Floats) -> tuple[ModelOutput, Floats]:
    step = -(-len(sure) * len(output.classes) ** 2 // MOST_CELLS)
    kept = np.zeros(len(sure), bool)
    kept[:: max(step, 1)] = True
    return output.where(kept), sure[kept]
