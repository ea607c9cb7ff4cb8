"""Corrections of a model's answers by a few numbers: estimated from labelled rows, weakened, applied.

A regression's predictions are shifted by its mean residual. The probabilities of several classes are multiplied by how much more
frequent each class is than the model says, as for a changed class prior (Saerens, Latinne and Decaestecker, Neural Computation 14, 2002,
equation 2.4). A binary score's logit gets an intercept and a slope (Platt, 1999). Everything is deterministic and forgets the order of
rows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, assert_never

import msgspec

from driftloop.contracts.class_probabilities import MAX_CLASSES
from driftloop.contracts.recalibration import Recalibration
from driftloop.statistics.optional_numpy import np

if TYPE_CHECKING:
    import numpy.typing as npt

    from driftloop.contracts.column_types import Task
    from driftloop.statistics.task_metric import Floats, ModelOutput, Values

PSEUDO_ROWS = 50  # that say "the model is right": what a correction from few rows is drawn to
KIND: dict[Task, str] = {"regression": "shift", "multiclass": "priors", "binary": "logit"}
STRENGTHS = (0.0, 0.5, 1.0)
MOST_WEIGHT, MOST_SLOPE = 1e6, 1e3  # beyond them, or below their inverse, no number was estimated
LEAST_PROBABILITY = 1e-6  # of a binary score and of a label's class: below it, logits and log losses say nothing more
_STEPS, _SETTLED = 50, 1e-10  # of Newton's method


def estimate(task: Task, labels: Values, output: ModelOutput) -> Recalibration | None:
    """The whole correction from n labelled rows; None where there is none to be had.

    That is: without a row; of numbers that are not finite; of several classes without their probabilities, or of fewer than two that the
    model knows; of a binary target with labels of one class only, or with scores that are no probabilities.

    A class's weight is (labels of it + PSEUDO_ROWS) / (rows that the model expects of it + PSEUDO_ROWS): never 0 or endless, also of a
    class that the model has hardly met. Intercept and slope have a ridge worth as many rows towards 0 and 1.
    """
    if not len(labels) or not np.isfinite(output.scores).all():
        return None
    match task:
        case "regression":
            return _shift(np.asarray(labels, np.float64), output)
        case "multiclass":
            return _priors(labels, output)
        case "binary":
            return _logit(np.asarray(labels, np.float64), output.scores)
        case _:
            assert_never(task)


def at_strength(full: Recalibration, strength: float) -> Recalibration | None:
    """A share of a whole correction: none of it is None. Raises ValueError for a strength that is none of STRENGTHS."""
    if strength not in STRENGTHS:
        raise ValueError(f"a strength of {strength:g}; there are {', '.join(f'{each:g}' for each in STRENGTHS)}")
    if strength != 0.5:
        return full if strength else None
    changed: dict[str, Any] = {"strength": strength}
    if full.shift is not msgspec.UNSET:
        changed["shift"] = full.shift / 2
    if full.weights is not msgspec.UNSET:
        changed["weights"] = tuple(map(math.sqrt, full.weights))  # the same on every CPU, which a power is not
    if full.intercept is not msgspec.UNSET and full.slope is not msgspec.UNSET:
        changed |= {"intercept": full.intercept / 2, "slope": 1 + (full.slope - 1) / 2}
    return msgspec.structs.replace(full, **changed)


def apply(recalibration: Recalibration | None, output: ModelOutput) -> ModelOutput:
    """The corrected answers, in the types of ``output``, as ``artifact.scoring`` defines them.

    Without a correction, and where it does not fit the output (of class probabilities that there are none of), the same answers. Finite
    numbers stay finite; a row that has no finite score keeps it, and its prediction.
    """
    if recalibration is None:
        return output
    match recalibration.kind:
        case "shift":
            scores = _shifted(output.scores, recalibration)
            return output._replace(predictions=scores.astype(np.asarray(output.predictions).dtype), scores=scores)
        case "logit":
            scores = _moved(output.scores, recalibration)
            return output._replace(predictions=np.where(np.isnan(scores), output.predictions, scores >= 0.5), scores=scores)
        case "priors":
            return _weighted(output, recalibration)
        case _:
            assert_never(recalibration.kind)


def losses(task: Task, labels: Values, output: ModelOutput, full: Recalibration) -> tuple[float, float, float] | None:
    """What the answers lose with none, half and all of a correction: means over rows of the squared error of a regression, else of −log of
    the probability of the label's class. None where it is not defined."""
    found = tuple(_mean_loss(task, labels, apply(at_strength(full, strength), output)) for strength in STRENGTHS)
    none, half, whole = found
    if not len(labels) or none is None or half is None or whole is None:
        return None
    return none, half, whole


def wrong(recalibration: Recalibration, task: Task | None = None) -> str | None:
    """Why these numbers can be no correction (of a target of that ``task``); None: they can. Needs no numpy."""
    kind, strength = recalibration.kind, recalibration.strength
    if task is not None and KIND[task] != kind:
        return f"a correction of kind {kind} for a target whose task is {task}"
    if strength not in STRENGTHS[1:]:
        return f"strength {strength:g}: there are 0.5 and 1"
    own = {"shift": {"shift"}, "priors": {"classes", "weights"}, "logit": {"intercept", "slope"}}[kind]
    for name in ("shift", "classes", "weights", "intercept", "slope"):
        if (getattr(recalibration, name) is not msgspec.UNSET) != (name in own):
            return f"a correction of kind {kind} {'without' if name in own else 'with'} {name}"
    if recalibration.classes is not msgspec.UNSET and recalibration.weights is not msgspec.UNSET:
        return _wrong_weights(recalibration.classes, recalibration.weights)
    numbers = {name: getattr(recalibration, name) for name in sorted(own)}
    endless = next((name for name, value in numbers.items() if not math.isfinite(value)), None)
    if endless is not None:
        return f"{endless} is no finite number"
    slope = numbers.get("slope", 1.0)
    if not 1 / MOST_SLOPE <= slope <= MOST_SLOPE:
        return f"slope {slope:g} does not lie between {1 / MOST_SLOPE:g} and {MOST_SLOPE:g}"
    return None


def _wrong_weights(classes: tuple[str, ...], weights: tuple[float, ...]) -> str | None:
    if len(classes) != len(weights):
        return f"{len(weights)} weights for {len(classes)} classes"
    if not 0 < len(classes) <= MAX_CLASSES:
        return f"{len(classes)} classes: there are 1 to {MAX_CLASSES}"
    if len(set(classes)) < len(classes):
        return "a class that is named twice"
    bad = next((weight for weight in weights if not 1 / MOST_WEIGHT <= weight <= MOST_WEIGHT), None)
    return None if bad is None else f"weight {bad:g} does not lie between {1 / MOST_WEIGHT:g} and {MOST_WEIGHT:g}"


def _shift(labels: Floats, output: ModelOutput) -> Recalibration | None:
    with np.errstate(all="ignore"):
        shift = math.fsum(sorted(labels - output.scores)) / len(labels) if np.isfinite(labels).all() else math.nan
    return Recalibration(kind="shift", strength=1.0, shift=shift) if math.isfinite(shift) else None


def _priors(labels: Values, output: ModelOutput) -> Recalibration | None:
    found = output.probabilities
    if found is None or not 1 < len(output.classes) <= MAX_CLASSES or not np.isfinite(found).all():
        return None
    seen = {str(name): int(count) for name, count in zip(*np.unique(np.asarray(labels).astype(str), return_counts=True), strict=True)}
    expected = np.sort(found, axis=0).sum(axis=0).tolist()
    counts = [(seen.get(name, 0) + PSEUDO_ROWS, max(0.0, rows) + PSEUDO_ROWS) for name, rows in zip(output.classes, expected, strict=True)]
    weights = tuple(min(MOST_WEIGHT, max(1 / MOST_WEIGHT, real / said)) for real, said in counts)
    return Recalibration(kind="priors", strength=1.0, classes=output.classes, weights=weights)


def _logit(labels: Floats, scores: Floats) -> Recalibration | None:
    """Newton's method on the mean log loss with its ridge, halving steps that do not help: the problem is convex."""
    if not ((scores >= 0) & (scores <= 1)).all() or labels.min() == labels.max():
        return None
    order = np.lexsort((labels, scores))
    x, y = _logits(scores[order]), labels[order]
    ridge = PSEUDO_ROWS / 4  # a row tells at most ¼ about an intercept
    at, best = np.array([0.0, 1.0]), math.inf
    step = np.zeros(2)
    for _ in range(_STEPS):
        moved = at + step
        loss = float(np.logaddexp(0, moved[0] + moved[1] * x).sum() - (y * (moved[0] + moved[1] * x)).sum())
        loss += ridge / 2 * float(moved[0] ** 2 + (moved[1] - 1) ** 2)
        if not loss < best:
            if np.abs(step).max() < _SETTLED:
                break
            step = step / 2
            continue
        at, best = moved, loss
        p = 1 / (1 + np.exp(-(at[0] + at[1] * x)))
        q = p * (1 - p)
        gradient = np.array([(p - y).sum() + ridge * at[0], ((p - y) * x).sum() + ridge * (at[1] - 1)])
        cross = float((q * x).sum())
        hessian = np.array([[float(q.sum()) + ridge, cross], [cross, float((q * x * x).sum()) + ridge]])
        step = -np.linalg.solve(hessian, gradient)
    intercept, slope = map(float, at)
    if not (
        math.isfinite(intercept) and slope >= 1 / MOST_SLOPE
    ):  # the scores say the opposite of the labels: no correction keeps that order
        return None
    return Recalibration(kind="logit", strength=1.0, intercept=intercept, slope=min(slope, MOST_SLOPE))


def _logits(scores: Floats) -> Floats:
    clipped = np.clip(scores.astype(np.float64), LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    found: Floats = np.log(clipped) - np.log1p(-clipped)
    return found


def _moved(scores: Floats, by: Recalibration) -> Floats:
    assert by.intercept is not msgspec.UNSET
    assert by.slope is not msgspec.UNSET
    with np.errstate(all="ignore"):
        logits = np.clip(by.intercept + by.slope * _logits(scores), -700, 700)
    found: Floats = (1 / (1 + np.exp(-logits))).astype(scores.dtype)
    return found


def _shifted(scores: Floats, by: Recalibration) -> Floats:
    assert by.shift is not msgspec.UNSET
    most = np.finfo(scores.dtype)
    with np.errstate(all="ignore"):
        moved = np.clip(scores + by.shift, most.min, most.max).astype(scores.dtype)
    found: Floats = np.where(np.isfinite(scores), moved, scores)
    return found


def _weighted(output: ModelOutput, by: Recalibration) -> ModelOutput:
    assert by.classes is not msgspec.UNSET
    assert by.weights is not msgspec.UNSET
    found = output.probabilities
    if found is None or not len(output.classes):
        return output
    named = dict(zip(by.classes, by.weights, strict=True))
    weights = np.array([named.get(name, 1.0) for name in output.classes])
    with np.errstate(all="ignore"):
        weighted = found * (weights / weights.max())
        total = weighted.sum(axis=1, keepdims=True)
        kept = ~(np.isfinite(total) & (total > 0))
        corrected = np.where(kept, found, weighted / total).astype(found.dtype)
    best = corrected.argmax(axis=1)
    rows = np.arange(len(best))
    names = np.array(output.classes, dtype=object)[best]
    untouched = kept[:, 0]
    predictions: npt.NDArray[Any] = np.asarray(output.predictions)
    return output._replace(
        predictions=np.where(untouched, predictions, names).astype(predictions.dtype),
        scores=np.where(untouched, output.scores, corrected[rows, best]).astype(output.scores.dtype),
        probabilities=corrected,
    )


def _mean_loss(task: Task, labels: Values, output: ModelOutput) -> float | None:
    if not len(labels):
        return None
    with np.errstate(all="ignore"):
        match task:
            case "regression":
                each = (np.asarray(labels, np.float64) - output.scores) ** 2
            case "binary":
                said = np.where(np.asarray(labels, bool), output.scores, 1 - output.scores)
                each = -np.log(np.clip(said, LEAST_PROBABILITY, 1))
            case "multiclass":
                each = -np.log(np.clip(_of_label(labels, output), LEAST_PROBABILITY, 1))
            case _:
                assert_never(task)
        mean = float(each.mean())
    return mean if math.isfinite(mean) else None


def _of_label(labels: Values, output: ModelOutput) -> Floats:
    """P(the label's class) of each row; 0 of a class that the model does not know."""
    if output.probabilities is None:
        return np.full(len(labels), np.nan)
    place = {name: column for column, name in enumerate(output.classes)}
    columns = np.array([place.get(str(label), -1) for label in labels], dtype=np.intp)
    said: Floats = np.where(columns < 0, 0.0, output.probabilities[np.arange(len(labels)), columns])
    return said
