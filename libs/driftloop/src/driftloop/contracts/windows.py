"""Windows: the event-time intervals that a project declares."""

import itertools
import re
from datetime import UTC, datetime, timedelta

from driftloop.contracts.values import Part, Window

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
CLOCK_SKEW = timedelta(hours=1)  # how far a producer's clock may be ahead of the broker's and ours
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class WindowPlan(Part, frozen=True, kw_only=True):
    """Either regular intervals of length ``every`` since the epoch, or the intervals between ``cuts``."""

    every: timedelta | None = None
    cuts: tuple[datetime, ...] = ()

    def window_of(self, time: datetime) -> Window | None:
        """The window that ``time`` falls in; None before the first and after the last cut."""
        if self.every is not None:
            n = (time - _EPOCH) // self.every
            return Window(start=shifted(_EPOCH, n * self.every), end=shifted(_EPOCH, (n + 1) * self.every))
        for start, end in itertools.pairwise(self.cuts):
            if start <= time < end:
                return Window(start=start.astimezone(UTC), end=end.astimezone(UTC))
        return None

    def last(self, n: int, end: datetime) -> datetime:
        """Start of the ``n`` windows that end at ``end``, a window boundary; the first cut if there are fewer.

        ``end`` between boundaries counts back from the latest boundary at or before it.
        """
        if self.every is not None:
            k = (end - _EPOCH) // self.every
            return shifted(_EPOCH, (k - n) * self.every)
        before = [cut for cut in self.cuts if cut <= end]
        if not before:
            return self.cuts[0].astimezone(UTC)
        return before[max(0, len(before) - 1 - n)].astimezone(UTC)


def shifted(time: datetime, by: timedelta) -> datetime:
    """``time + by``, in UTC; the calendar's first or last moment where that lies beyond it, as windows and watermarks may."""
    try:
        return time + by
    except OverflowError:
        return _LAST if by > timedelta(0) else _FIRST


def parse_duration(text: str) -> timedelta:
    """``90s``, ``15m``, ``6h``, ``7d``, ``2w``. Raises ValueError."""
    match = re.fullmatch(r"(\d+)([smhdw])", text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration such as 90s, 15m, 6h, 7d or 2w")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])
