"""Which candidate is taken. Values in, values out."""

from collections.abc import Sequence
from datetime import datetime

from driftloop.contracts.candidates import CandidateResult
from driftloop.contracts.windows import WindowPlan
from driftloop.project.recipes import parse_recipe
from driftloop.statistics.metrics import TaskMetric
from driftloop.training.recipes import fit_start


def training_start(recipe: str, plan: WindowPlan, end: datetime) -> datetime | None:
    """``training.recipes.fit_start`` of a recipe's text."""
    return fit_start(parse_recipe(recipe), plan, end)


def choose(results: Sequence[CandidateResult], margin: float, metric: TaskMetric) -> CandidateResult | None:
    """The candidate to go on with: the preferred one, unless another beats it by at least ``margin``, a gain of ``metric``.

    Preferred is what is declared first. Among those that beat it, the best; among equals the one declared first. Where the preferred
    one could not be measured, the best that there is. None when no candidate was measured.
    """
    measured = [(result, result.metric) for result in results if result.metric is not None]
    if not measured:
        return None
    best, highest = max(measured, key=lambda pair: metric.gain(pair[1], 0.0))
    preferred, known = measured[0] if measured[0][0] is results[0] else (best, highest)
    return best if metric.gain(highest, known) >= margin and best is not preferred else preferred
