"""What a recipe means for rows: where its fits begin, and what each row weighs. Values in, values out."""

from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from driftloop.contracts.windows import WindowPlan, shifted
from driftloop.project.recipes import Member, Recipe

Floats = npt.NDArray[np.float64]
Micros = npt.NDArray[np.int64]  # microseconds since 1970, UTC

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def members(recipe: Recipe) -> tuple[Member, ...]:
    """The fits that it takes, in their order: one, unless it is a mean."""
    return recipe.members


def fit_start(recipe: Recipe | Member, plan: WindowPlan, end: datetime) -> datetime | None:
    """Event time from which it is fitted when it is fitted up to ``end``; None: from the beginning.

    ``last:N``: the N windows of the plan before ``end``; of a mean that of the member that looks back farthest. ``newest``: the
    window that ends there, or that ``end`` lies in.
    """
    if isinstance(recipe, Recipe):
        starts = [fit_start(member, plan, end) for member in recipe.members]
        return None if None in starts else min(start for start in starts if start is not None)
    if recipe.base not in ("last", "newest"):
        return None
    if recipe.base == "newest" and (window := plan.window_of(shifted(end, -_MICROSECOND))):
        return window.start
    try:
        return plan.last(int(recipe.windows) or 1, end)
    except OverflowError:  # before the calendar begins
        return None


def ages(plan: WindowPlan, times: Micros, end: datetime) -> npt.NDArray[np.int64]:
    """(n,), whole windows: how many boundaries of the plan lie after a row and before ``end``. 0 in the window that ends there.

    Rows before the first cut are one window older than those after it; rows at or after ``end`` have age 0.
    """
    until = micros(end)
    if plan.every is not None:
        every = plan.every // _MICROSECOND
        last = -(-until // every) - 1  # the window that holds the moment before the end
        return np.maximum(last - times // every, 0)
    cuts = np.array([at for at in map(micros, plan.cuts) if at < until], dtype=np.int64)
    older: npt.NDArray[np.int64] = len(cuts) - np.searchsorted(cuts, times, side="right")
    return older


def weights(recipe: Member, plan: WindowPlan, times: Micros, end: datetime) -> Floats | None:
    """(n,): how much each row counts in a fit up to ``end``, 0.5^(age / H windows) of ``decay:H``; None: all the same."""
    if not recipe.weighted:
        return None
    found, inverse = np.unique(ages(plan, times, end), return_inverse=True)
    by_age = np.array([0.5 ** (age / recipe.windows) for age in found.tolist()])  # numpy's own power differs between CPUs
    by_row: Floats = by_age[inverse]
    return by_row


def micros(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND
