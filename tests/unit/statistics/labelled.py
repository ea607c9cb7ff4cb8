"""Labelled rows with a model's output and weights, for the tests of metrics: ties, rows of no weight, classes that are missing
or that the model does not know."""

from typing import Any, NamedTuple

import hypothesis.strategies as st
import numpy as np

from driftloop.statistics.metrics import METRICS, ModelOutput, TaskMetric, for_task

CLASSES = ("ant", "bee", "cat")
LABELS = (*CLASSES, "dog")  # of which the model knows nothing

# every metric on every task that it has a form for
EVERY_FORM = [for_task(row.written, task) for row in METRICS.values() for task in row.forms]
ids = [f"{metric.name}-{metric.task}" for metric in EVERY_FORM]


class Labelled(NamedTuple):
    labels: Any
    output: ModelOutput
    weights: Any

    def take(self, rows: Any) -> "Labelled":
        """By a mask or by positions."""
        return Labelled(self.labels[rows], self.output.where(rows), self.weights[rows])


def binary(n: int, seed: int) -> Labelled:
    rng = np.random.default_rng(seed)
    labels, predictions = (rng.random(n) < rng.choice([0.1, 0.5, 0.9]) for _ in range(2))
    return Labelled(labels, ModelOutput(predictions, _shares(rng, n)), _weights(rng, n))


def multiclass(n: int, seed: int) -> Labelled:
    rng = np.random.default_rng(seed)
    labels, predictions = (rng.choice(names[: rng.integers(1, 5)], n).astype(object) for names in (LABELS, CLASSES))
    probabilities = _shares(rng, (n, 3)) + 1e-3
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return Labelled(labels, ModelOutput(predictions, probabilities.max(axis=1), probabilities, CLASSES), _weights(rng, n))


def regression(n: int, seed: int) -> Labelled:
    rng = np.random.default_rng(seed)
    labels = rng.integers(-8, 9, n) / 4 + rng.choice([0.0, 0.0, 30.0])  # sums without rounding
    predictions = labels + rng.integers(-2, 3, n) * rng.choice([0.0, 0.25, rng.random()])
    return Labelled(labels, ModelOutput(predictions, predictions), _weights(rng, n))


def _shares(rng: np.random.Generator, shape: "int | tuple[int, int]") -> Any:
    return np.where(rng.random(shape) < 0.5, rng.integers(0, 5, shape) / 4, rng.random(shape))


def _weights(rng: np.random.Generator, n: int) -> Any:
    return np.where(rng.random(n) < 0.7, rng.integers(0, 4, n).astype(float), rng.uniform(0.01, 10, n))


# by size and seed: drawing each value would take the tests ten times as long
SIZES, SEEDS = st.integers(1, 15), st.integers(0, 2**32 - 1)
ROWS = {task: st.builds(make, SIZES, SEEDS) for task, make in (("binary", binary), ("multiclass", multiclass), ("regression", regression))}


def value(metric: TaskMetric, of: Labelled) -> float | None:
    """On the rows with their weights."""
    weighted = metric.weighted(of.labels, of.output)
    return None if weighted is None else weighted(of.weights)


def perfect(of: Labelled) -> Labelled:
    """The same rows with the output of a model that knows the answers, as far as it knows the classes."""
    labels = of.labels
    if labels.dtype == bool:
        return of._replace(output=ModelOutput(labels, labels.astype(float)))
    if labels.dtype == object:
        truth = np.array([[float(label == name) for name in CLASSES] for label in labels])
        return of._replace(output=ModelOutput(labels, truth.max(axis=1), truth, CLASSES))
    return of._replace(output=ModelOutput(labels, labels))
