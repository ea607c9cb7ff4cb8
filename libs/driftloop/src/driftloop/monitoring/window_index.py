"""Which window each row falls in, and which windows a watermark closes: a window plan over whole columns, by index."""

from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from driftloop.contracts.values import Window
from driftloop.contracts.windows import CLOCK_SKEW, WindowPlan, shifted

Indices = npt.NDArray[np.int64]
NO_WINDOW = np.iinfo(np.int64).min
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class WindowIndex:
    """Window ``i`` is the i-th of the plan: since the epoch for regular ones, between cuts ``i`` and ``i + 1`` otherwise."""

    def __init__(self, plan: WindowPlan) -> None:
        self._every = None if plan.every is None else plan.every // _MICROSECOND
        self._cuts = np.array([_microseconds(cut) for cut in plan.cuts], dtype=np.int64)

    @property
    def first(self) -> int:
        """No window has a lower index."""
        return NO_WINDOW if self._every is not None else 0

    def of_rows(self, event_times: pa.ChunkedArray) -> Indices:
        """Index per row, NO_WINDOW before the first and after the last cut."""
        times = event_times.cast(pa.int64()).to_numpy()
        if self._every is not None:
            return np.asarray(times // self._every)
        index = np.searchsorted(self._cuts, times, side="right") - 1
        return np.where((index < 0) | (index >= self._cuts.size - 1), NO_WINDOW, index)

    def window(self, index: int) -> Window:
        if self._every is not None:
            start = index * self._every
            return Window(start=_time(start), end=_time(start + self._every))
        return Window(start=_time(int(self._cuts[index])), end=_time(int(self._cuts[index + 1])))

    def index(self, window: Window) -> int | None:
        """None for a window that the plan does not have."""
        at = _microseconds(window.start)
        if self._every is not None:
            index = at // self._every
        else:
            index = int(np.searchsorted(self._cuts, at, side="right")) - 1
            if not 0 <= index < self._cuts.size - 1:
                return None
        return index if self.window(index) == window else None

    def first_from(self, time: datetime) -> int:
        """The lowest index of a window that starts at ``time`` or later; past all of them where none does."""
        at = _microseconds(time)
        return -(-at // self._every) if self._every is not None else int(np.searchsorted(self._cuts, at, side="left"))

    def is_boundary(self, time: datetime) -> bool:
        """Whether a window of the plan may end at ``time``."""
        at = _microseconds(time)
        return at % self._every == 0 if self._every is not None else bool(np.isin(at, self._cuts))

    def closed_before(self, watermark: datetime) -> int:
        """All windows below this index have ended at the watermark."""
        at = _microseconds(watermark)
        if self._every is not None:
            return at // self._every
        return max(0, int(np.searchsorted(self._cuts, at, side="right")) - 1)


def latest(
    event_times: pa.ChunkedArray, scored_at: pa.ChunkedArray, ahead: timedelta | None = CLOCK_SKEW, written: datetime | None = None
) -> datetime | None:
    """The highest event time that is not beyond the time of scoring and ``ahead`` (None: however far): one row from the year
    9999 must not close all windows. ``written``: by the broker's clock, when the rows came; scored later they cannot be, so that a
    predictor's clock may be as wrong as a sender's."""
    times = event_times.cast(pa.int64()).to_numpy()
    known = times
    if ahead is not None:
        scored = scored_at.cast(pa.int64()).to_numpy()
        scored = scored if written is None else np.minimum(scored, _microseconds(written))
        known = times[times <= scored + ahead // _MICROSECOND]
    return _time(int(known.max())) if known.size else None


def _microseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def _time(microseconds: int) -> datetime:
    return shifted(_EPOCH, timedelta(microseconds=microseconds))
