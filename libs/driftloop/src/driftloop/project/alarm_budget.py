"""How often a project takes a false alarm, and what share of its windows that is."""

import re
from datetime import timedelta
from typing import NamedTuple

from driftloop.contracts.windows import WindowPlan, parse_duration

DEFAULT = "1 per 90d"  # four a year
MOST_BY_DEFAULT = 0.1  # of windows that last for months: not nearly every one of them
LEAST = 1e-4  # rarer events than one window in 10,000 are not calibrated

_WORDS = re.compile(r"(\d+) per (\S+)")


class AlarmBudget(NamedTuple):
    """``words``: as it was written, or the default. ``alpha``: the share of windows without drift that may be reported as drifted."""

    words: str
    alpha: float


def alarm_budget(words: str | None, plan: WindowPlan) -> AlarmBudget:
    """``words``: such as "1 per 90d"; None: DEFAULT, within LEAST and MOST_BY_DEFAULT. Raises ValueError with what to write instead."""
    window = mean_length(plan)
    if words is None:
        return AlarmBudget(DEFAULT, min(MOST_BY_DEFAULT, max(LEAST, _share(DEFAULT, window))))
    alpha = _share(words, window)
    if alpha > 0.5:
        longer = f"give a longer period, such as 1 per {_period(window)}"
        raise ValueError(f"{words!r} is more than every second window, as they last {_days(window)}: {longer}")
    if alpha < LEAST:
        longest = max(1, int(window.total_seconds() / LEAST // 3600))
        raise ValueError(
            f"{words!r} is less than one window in {1 / LEAST:.0f}, as they last {_days(window)}: give at most 1 per {longest}h"
        )
    return AlarmBudget(words, alpha)


def mean_length(plan: WindowPlan) -> timedelta:
    """Of a window of the plan."""
    return plan.every if plan.every is not None else (plan.cuts[-1] - plan.cuts[0]) / (len(plan.cuts) - 1)


def _share(words: str, window: timedelta) -> float:
    match = _WORDS.fullmatch(words)
    if match is None:
        raise ValueError(f"{words!r} is no budget such as 1 per 90d: a number of false alarms, per, and a duration")
    period = parse_duration(match[2])
    if int(match[1]) < 1 or period <= timedelta(0):
        raise ValueError(f"{words!r}: at least one false alarm in a period; without any there is no alarm at all")
    return int(match[1]) * (window / period)


def _days(length: timedelta) -> str:
    seconds = length.total_seconds()
    unit, name = (86_400, "days") if seconds >= 2 * 86_400 else (3_600, "hours") if seconds >= 2 * 3_600 else (1, "seconds")
    return f"{seconds / unit:.3g} {name}"


def _period(window: timedelta) -> str:
    """Ten windows."""
    seconds = 10 * window.total_seconds()
    return f"{-(-seconds // 86_400):.0f}d" if seconds >= 86_400 else f"{-(-seconds // 1):.0f}s"
