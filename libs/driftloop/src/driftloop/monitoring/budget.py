"""How many attempts may be made, and when: a count per period of event time, spread over it so that it is never spent for long.

Attempts leave a bucket that holds ``burst`` of them and fills at a constant rate, such that no period ever sees more than ``attempts``.
It is the generic cell rate algorithm (ATM Forum, Traffic Management Specification 4.0, 4.4.2), in whole microseconds: each attempt moves
the time at which the bucket would be full again (``full_at``) by one interval. Pure, and a function of the attempts on record alone.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from driftloop.contracts.windows import parse_duration, shifted
from driftloop.project.rules import Policy

YEAR = timedelta(days=365)
LEAST = 50  # attempts in a period that says nothing of them
MOST_IN_A_YEAR = 1000  # of those, however short the windows are; a tenth of it at once
_LEAST_TIME = timedelta(microseconds=1)  # durations are counted in it: a thousand times a period may be longer than any duration
_LONGEST = timedelta.max // _LEAST_TIME
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Budget(NamedTuple):
    """``attempts`` in a ``period``, ``burst`` of them without waiting, the last ``kept`` for drift and performance alone."""

    attempts: int
    period: timedelta
    burst: int
    kept: int

    @property
    def spread(self) -> bool:
        """Whether the bucket says anything beside the count."""
        return self.burst < self.attempts

    @property
    def interval(self) -> timedelta:
        """In which the bucket gains one attempt. Rounded up: so that no period has one too many."""
        return -(-self.period // (self.attempts - self.burst))


class Standing(NamedTuple):
    """What is left at a moment. ``at_once``: attempts that could be made without waiting, the kept ones among them; ``next_at``:
    when the next one is possible that is not kept."""

    budget: Budget
    at_once: int
    left: int  # in the period that ends at that moment
    next_at: datetime


def budget_of(policy: Policy, window: timedelta) -> Budget:
    """What a policy states holds as it stands: a count alone is a count, without a rate.

    Where it states no count, there is one attempt per window, up to MOST_IN_A_YEAR, and LEAST at least. Windows that are more than
    that share it: spread over the period, half of the bucket kept for drift and performance.
    """
    period = parse_duration(policy.budget_period)
    windows = -(-period // window) if window > timedelta(0) else LEAST
    attempts = policy.budget or max(LEAST, min(windows, MOST_IN_A_YEAR * (period // _LEAST_TIME) // (YEAR // _LEAST_TIME)))
    shared = policy.budget is None and windows > attempts
    burst = min(policy.budget_burst or (max(2, attempts // 10) if shared else attempts), attempts)
    kept = policy.budget_kept if policy.budget_kept is not None else (burst // 2 if shared else 0)
    return Budget(attempts, period, burst, min(kept, burst - 1))


def standing(budget: Budget, attempts: Sequence[datetime], now: datetime) -> Standing:
    """``attempts``: all of the period before ``now`` at least, oldest first."""
    live = _live(budget, attempts, now)
    left = budget.attempts - len(live)
    return Standing(budget, max(0, min(left, _in_bucket(budget, live, now))), left, next_attempt(budget, live, now))


def possible(budget: Budget, attempts: Sequence[datetime], now: datetime, *, kept: bool = False) -> bool:
    """Whether one more may be made now. ``kept``: it may be one of those that are kept."""
    return next_attempt(budget, attempts, now, kept=kept) == now


def next_attempt(budget: Budget, attempts: Sequence[datetime], now: datetime, *, kept: bool = False) -> datetime:
    """When one more may be made if none is until then; ``now`` itself when it may be now. Looks at each attempt of the period once."""
    needed = 1 if kept else 1 + budget.kept
    live = _live(budget, attempts, now)
    full_at = _full_at(budget, live) if budget.spread else ()
    filled = (budget.burst - needed) * (budget.interval // _LEAST_TIME) if budget.spread else 0
    gone = max(0, len(live) - (budget.attempts - needed))  # so many have to leave the period, whatever the bucket holds
    at = shifted(live[gone - 1], budget.period) if gone else now
    while gone < len(live):
        found = max(at, _time(full_at[gone] - filled)) if budget.spread else at
        leaves = shifted(live[gone], budget.period)
        if found < leaves:
            return found
        at, gone = leaves, gone + 1  # without the oldest the bucket may have been full earlier: look again from there
    return at


def _in_bucket(budget: Budget, live: Sequence[datetime], now: datetime) -> int:
    if not budget.spread or not live or not budget.interval:
        return budget.burst
    missing = max(0, _full_at(budget, live)[0] - _microseconds(now))
    return budget.burst + (-missing // (budget.interval // _LEAST_TIME))


def _full_at(budget: Budget, live: Sequence[datetime]) -> list[int]:
    """When the bucket is full again, as far as these attempts say, and as far as those from each one on do: it was full when the first
    of them was made. In microseconds, since it may be after the calendar's end."""
    interval, full, found = budget.interval // _LEAST_TIME, 0, list[int]()
    for later, attempt in enumerate(reversed(live), 1):
        alone = _microseconds(attempt) + later * interval
        full = max(full, alone) if found else alone
        found.append(full)
    return found[::-1]


def _live(budget: Budget, attempts: Sequence[datetime], now: datetime) -> Sequence[datetime]:
    """Those of the period that ends now; ``attempts`` are in order."""
    return attempts[bisect_right(attempts, shifted(now, -budget.period)) :]


def _microseconds(time: datetime) -> int:
    return (time - _EPOCH) // _LEAST_TIME


def _time(microseconds: int) -> datetime:
    """The calendar's end for what lies beyond it."""
    return shifted(_EPOCH, timedelta(microseconds=min(microseconds, _LONGEST)))
