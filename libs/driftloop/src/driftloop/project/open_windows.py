"""How many windows a project's late rows keep open at once. A partition counts so many and no more: see ``monitoring.partition_fold``."""

from bisect import bisect_right
from datetime import timedelta

from driftloop.contracts.windows import WindowPlan, shifted

MOST_OPEN = 300  # of the 400 that a partition keeps: beside them are closed ones that are still corrected, and those of clocks ahead


def windows_in(plan: WindowPlan, lateness: timedelta) -> int:
    """Windows that end within a span of that length, wherever it lies."""
    if plan.every is not None:
        return -(-lateness // plan.every)
    return max(bisect_right(plan.cuts, shifted(cut, lateness)) - number - 1 for number, cut in enumerate(plan.cuts[1:], start=1))


def problem(plan: WindowPlan, lateness: timedelta) -> str | None:
    """What to say of more windows than are kept open; None when they are not."""
    found = windows_in(plan, lateness)
    if found <= MOST_OPEN:
        return None
    return (
        f"rows that may be so late keep {found} windows open at once, and no more than {MOST_OPEN} can be: the rows of the others would be "
        "in no drift report; make [windows] longer, or allowed_lateness shorter (late labels need none)"
    )
