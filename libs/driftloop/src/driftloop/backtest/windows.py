"""The windows of a backtest: those that the project declares, or so many of equally many labelled rows."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from driftloop.contracts.values import Window
from driftloop.contracts.windows import WindowPlan
from driftloop.errors import UserError
from driftloop.training.recipes import micros

MOST_WINDOWS = 100_000


def equal_windows(table: pa.Table, n: int) -> WindowPlan:
    """``n`` windows with equally many rows of ``table``, which is in order of event time. A boundary is the event time of a window's
    first row; rows that share this moment belong to the later window. Raises UserError where there are fewer moments than windows.
    """
    times = table.column("event_time")
    firsts: list[datetime] = [times[k * len(times) // n].as_py() for k in range(n)]
    cuts = [*dict.fromkeys(firsts), times[-1].as_py() + timedelta(microseconds=1)]
    if len(cuts) < n + 1:
        raise UserError(f"{n} windows of equally many rows: only {len(cuts) - 1} have a first moment of their own; ask for fewer windows")
    return WindowPlan(cuts=tuple(cuts))


def windows_with_rows(table: pa.Table, plan: WindowPlan) -> list[Window]:
    """The windows of the plan that hold rows, oldest first. Raises UserError where there is none."""
    times = table.column("event_time")
    found: list[Window] = []
    at, moments = 0, times.cast(pa.int64()).to_numpy()
    while at < len(times):
        window = plan.window_of(times[at].as_py())
        if window is None:  # before the first cut or after the last
            at = _next(moments, plan.cuts, at)
            continue
        found.append(window)
        at = int(np.searchsorted(moments, micros(window.end), side="left"))
        if len(found) > MOST_WINDOWS:
            raise UserError(f"the rows fall into more than {MOST_WINDOWS} windows: declare longer ones")
    if not found:
        first, last = times[0].as_py(), times[-1].as_py()
        raise UserError(f"no row, from {first.isoformat()} to {last.isoformat()}, falls into a window that driftloop.toml declares")
    return found


def _next(times: npt.NDArray[np.int64], cuts: Sequence[datetime], at: int) -> int:
    later = [cut for cut in map(micros, cuts) if cut > times[at]]
    return int(np.searchsorted(times, later[0], side="left")) if later else len(times)
