"""Recipes: which rows a candidate is fitted on, and which candidate is taken. Values in, values out."""

from collections.abc import Sequence
from datetime import datetime

from driftloop.contracts.values import CandidateResult
from driftloop.contracts.windows import WindowPlan
from driftloop.project.model import ALL


def training_start(recipe: str, plan: WindowPlan, end: datetime) -> datetime | None:
    """Event time from which a recipe is fitted when it is fitted up to ``end``; None: from the beginning.

    ``all`` is everything, ``last:N`` the N windows of the plan before ``end``.
    """
    if recipe == ALL:
        return None
    return plan.last(int(recipe.removeprefix("last:")), end)


def choose(results: Sequence[CandidateResult], margin: float) -> CandidateResult | None:
    """The candidate to go on with: ``all``, unless another beats it by at least ``margin`` of the metric (higher is better).

    Among those that do, the best; among equals the one declared first. Without a measured ``all`` the best that there is.
    None when no candidate was measured.
    """
    measured = [result for result in results if result.metric is not None]
    if not measured:
        return None
    best = max(measured, key=lambda result: result.metric or 0.0)
    preferred = next((result for result in measured if result.recipe == ALL), None)
    if preferred is None or preferred.metric is None or best.metric is None:
        return best
    return best if best.metric - preferred.metric >= margin and best is not preferred else preferred
