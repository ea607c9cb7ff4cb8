"""What a metric is: a row of the table in ``statistics.metrics``, and how a row is computed for one task."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from driftloop.contracts.class_probabilities import MAX_CLASSES, SUM_TOLERANCE
from driftloop.statistics.optional_numpy import np

if TYPE_CHECKING:
    import numpy.typing as npt

    from driftloop.contracts.column_types import Task

    Floats = npt.NDArray[np.float64]
    Values = npt.NDArray[np.float64] | npt.NDArray[np.bool_] | npt.NDArray[np.object_] | npt.NDArray[np.str_]
    Mask = npt.NDArray[np.bool_]

Need = Literal["scores", "predictions", "probabilities"]
Weighted = Callable[["Floats"], "float | None"]  # row weights, not negative, (n,) → the metric; None where it is not defined
Formula = Callable[..., "Weighted | None"]


class ModelOutput(NamedTuple):
    """What a model says about n rows.

    ``predictions``: (n,) in the target's type (bool, str, float64). ``scores``: (n,), as ``artifact.scoring`` defines them.
    ``probabilities``: (n, number of classes), a column for each of ``classes`` in that order; None where they are not known.
    """

    predictions: Values
    scores: Floats
    probabilities: Floats | None = None
    classes: tuple[str, ...] = ()

    def where(self, mask: Mask) -> ModelOutput:
        """The masked rows."""
        kept = None if self.probabilities is None else self.probabilities[mask]
        return ModelOutput(self.predictions[mask], self.scores[mask], kept, self.classes)

    def of_class(self, name: str) -> Floats:
        """P(class) of each row; 0 for a class that the model does not know."""
        if self.probabilities is None or name not in self.classes:
            return np.zeros(len(self.scores))
        return self.probabilities[:, self.classes.index(name)]


class Form(NamedTuple):
    """How the rows of one task are measured: ``formula(labels, what it needs)``, with probabilities also their classes.

    The formula is given at least one row and finite numbers, and gives the metric as a function of the rows' weights. It is
    never asked for weights that are all zero; a row of weight zero counts as absent.
    """

    needs: Need
    formula: Formula


class Parameter(NamedTuple):
    """A number that is part of the metric's name, after a colon. ``low`` and ``high`` are excluded."""

    name: str
    low: float
    high: float
    example: str


class Metric(NamedTuple):
    """One row of the table. A metric measures the tasks that it has a form for.

    ``undefined``: when the formula has no value though the numbers are there, in words that follow "not defined on rows".
    ``proposed_for``: tasks that ``driftloop init`` proposes it for.
    """

    name: str
    forms: Mapping[Task, Form]
    greater_is_better: bool
    undefined: str
    meaning: str  # a line of the reference page
    parameter: Parameter | None = None
    proposed_for: tuple[Task, ...] = ()
    of_hits: bool = False  # depends on nothing but whether each row's prediction is its label

    @property
    def written(self) -> str:
        """As it stands in a project: with an example of its parameter, if it has one."""
        return self.name if self.parameter is None else f"{self.name}:{self.parameter.example}"

    def gain(self, candidate: float, champion: float) -> float:
        """By how much the candidate is better; below 0: worse."""
        return candidate - champion if self.greater_is_better else champion - candidate


class TaskMetric(NamedTuple):
    """A metric as a project declares it, for the task of its target. ``name`` holds the parameter, as in ``pinball:0.9``."""

    name: str
    task: Task
    metric: Metric
    parameter: float | None = None

    @property
    def form(self) -> Form:
        return self.metric.forms[self.task]

    def gain(self, candidate: float, champion: float) -> float:
        return self.metric.gain(candidate, champion)

    def weighted(self, labels: Values, output: ModelOutput) -> Weighted | None:
        """The metric as a function of the rows' weights (how often a resample drew each); None where it is not defined.

        That function, too, gives None where the metric is not defined on the rows that have a weight; neither raises for any
        numbers. Raises ValueError for labels, output and classes that do not fit together.
        """
        if self._unfit(labels, output) is not None:
            return None
        formula: Formula = self.form.formula if self.parameter is None else partial(self.form.formula, self.parameter)
        with np.errstate(all="ignore"):
            computed = formula(labels, *self._given(output))
        return None if computed is None else partial(_checked, computed)

    def why_undefined(self, labels: Values, output: ModelOutput) -> str:
        """Words for a person, after "not defined on rows": why there is no value."""
        return self._unfit(labels, output) or self.metric.undefined or "with numbers too large to be added up"

    def _given(self, output: ModelOutput) -> tuple[Any, ...]:
        match self.form.needs:
            case "scores":
                return (output.scores,)
            case "predictions":
                return (output.predictions,)
            case "probabilities":
                return output.probabilities, output.classes

    def _unfit(self, labels: Values, output: ModelOutput) -> str | None:
        given, *_ = self._given(output)
        if given is None:
            return "without class probabilities"
        if len(labels) != len(given):
            raise ValueError(f"{len(labels)} labels for the model's output on {len(given)} rows")
        if self.form.needs == "probabilities" and given.shape[1] != len(output.classes):
            raise ValueError(f"{given.shape[1]} columns of probabilities for {len(output.classes)} classes")
        if self.form.needs == "probabilities" and max(len(output.classes), len(set(labels))) > MAX_CLASSES:
            return f"of more than {MAX_CLASSES} classes"
        if not len(labels):
            return "of which there are none"
        if _missing(labels) or _missing(given):
            return "with a label or an output that is missing or not a finite number"
        if self.form.needs == "probabilities" and not _add_up(given):  # such are not recorded either
            return "with class probabilities that do not add up to 1"
        return None


def _checked(computed: Weighted, weights: Floats) -> float | None:
    if not weights.any():
        return None
    with np.errstate(all="ignore"):
        value = computed(weights)
    return value if value is not None and math.isfinite(value) else None


def _add_up(probabilities: Any) -> bool:
    with np.errstate(all="ignore"):
        return bool((np.abs(probabilities.sum(axis=1) - 1) <= SUM_TOLERANCE).all())


def _missing(values: Any) -> bool:
    array = np.asarray(values)
    if array.dtype.kind == "f":
        return not np.isfinite(array).all()
    return array.dtype.kind == "O" and any(map(_is_missing, array.ravel()))


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))
