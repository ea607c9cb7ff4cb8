"""Moments that a schedule names: an interval such as ``7d``, or a cron expression such as ``0 3 * * mon``. All in UTC. Pure.

Cron as POSIX crontab has it: five fields, minute, hour, day of month, month, day of week, with ``*``, numbers, ranges, lists, steps and
the English names of months and days in three letters; 0 and 7 are Sunday. Where both days are named, either one does.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from driftloop.contracts.windows import parse_duration, shifted

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_DAYS = "sun mon tue wed thu fri sat".split()
_LONGEST_GAP = 366 * 8 + 31  # days: 29 February, over a century that is no leap year
_LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class Interval(NamedTuple):
    """Every so often, counted from 1970 as windows are."""

    every: timedelta

    def last(self, after: datetime, until: datetime) -> datetime | None:
        """The last moment in ``(after, until]``; None: there is none."""
        moment = shifted(_EPOCH, (until - _EPOCH) // self.every * self.every)
        return moment if after < moment else None


class Cron(NamedTuple):
    """The values of each field."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # Sunday is 0
    either_day: bool  # both days are named

    def last(self, after: datetime, until: datetime) -> datetime | None:
        """The last moment in ``(after, until]``; None: there is none."""
        until = until.astimezone(UTC)
        for day in _days_back(until.date(), after.astimezone(UTC).date()):
            if not self._on(day):
                continue
            for hour in reversed(self.hours):
                for minute in reversed(self.minutes):
                    moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
                    if moment <= until:
                        return moment if after < moment else None
        return None

    def _on(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return of_month or of_week if self.either_day else of_month and of_week


Schedule = Interval | Cron


def parse_schedule(text: str) -> Schedule:
    """Raises ValueError, in words that follow the name of the setting."""
    fields = text.split()
    if len(fields) == 1:
        try:
            every = parse_duration(text)
        except (ValueError, OverflowError) as exc:
            raise ValueError(f"{text!r} is neither an interval such as 7d nor five cron fields such as '0 3 * * mon'") from exc
        if every <= timedelta(0):
            raise ValueError("an interval must be longer than nothing")
        return Interval(every)
    if len(fields) != len(_FIELDS):
        names = ", ".join(name for name, _, _ in _FIELDS)
        raise ValueError(f"{text!r} has {len(fields)} fields; cron has five: {names}; or write an interval such as 7d")
    minutes, hours, days, months, weekdays = (_values(part, *field) for part, field in zip(fields, _FIELDS, strict=True))
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    if fields[4].startswith("*") and not any(day <= _LONGEST_MONTHS[month - 1] for month in months for day in days):
        raise ValueError(f"{text!r} names a day that none of its months has")
    of_week = frozenset(day % 7 for day in weekdays)
    return Cron(tuple(sorted(minutes)), tuple(sorted(hours)), frozenset(days), frozenset(months), of_week, either)


def _values(part: str, name: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for item in part.split(","):
        span, slash, step = item.partition("/")
        if slash and not (step.isdecimal() and int(step) > 0):
            raise ValueError(f"{item!r} is no {name}: after the slash stands a step above 0")
        first, dash, last = span.partition("-")
        if span == "*":
            start, end = low, high
        else:
            start = _number(first, item, name, low, high)
            end = _number(last, item, name, low, high) if dash else high if slash else start
        if end < start:
            raise ValueError(f"{item!r} is no {name}: its end lies before its start")
        found.update(range(start, end + 1, int(step) if slash else 1))
    return found


def _number(text: str, item: str, name: str, low: int, high: int) -> int:
    names = {"month": (_MONTHS, 1), "day of week": (_DAYS, 0)}.get(name)
    if names is not None and text.lower() in names[0]:
        return names[0].index(text.lower()) + names[1]
    if not re.fullmatch(r"[0-9]{1,2}", text) or not low <= int(text) <= high:
        raise ValueError(f"{item!r} is no {name}: it is {low} to {high}, a range a-b, a list a,b, or * with a step */n")
    return int(text)


def _days_back(last: date, first: date) -> Iterator[date]:
    for ordinal in range(last.toordinal(), max(first.toordinal(), last.toordinal() - _LONGEST_GAP) - 1, -1):
        yield date.fromordinal(ordinal)
