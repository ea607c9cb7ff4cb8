"""The rows of one message, taken apart by window and model version, and counted."""

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.canary import CANARY, VERSION_RULE
from driftloop.monitoring.window_index import NO_WINDOW, WindowIndex
from driftloop.statistics.histograms import Counter
from driftloop.statistics.profile import Counts

UNSCORED = -1  # stands for a null version while rows are sorted


class CountedPart(NamedTuple):
    """Rows of one window and version. ``counted``: digest of the version's profile and the counts; null without a version."""

    window: int
    rows: int
    version: int | None
    counted: tuple[str, dict[str, Counts]] | None


def split(
    rows: pa.Table, plan: WindowIndex, counter_of: Callable[[int], tuple[str, Counter]], *, ruled: bool = True
) -> Iterator[CountedPart]:
    """One part per window and version present; rows in no window are left out. Raises what ``counter_of`` raises.

    Rows that a canary answered are of no version here: what a window is compared by is the champion's. ``ruled``: whether the rows have
    the column that tells.
    """
    if not rows.num_rows:
        return
    windows = plan.of_rows(rows.column("event_time"))
    versions = rows.column("model_version").fill_null(UNSCORED).to_numpy()
    if ruled and VERSION_RULE in rows.column_names and (by_canary := _by_canary(rows)).any():
        versions = np.where(by_canary, UNSCORED, versions)
    if windows.min() == windows.max() and versions.min() == versions.max():  # nearly always
        groups = [(0, rows.num_rows)]
    else:
        order = np.lexsort((versions, windows))
        windows, versions, rows = windows[order], versions[order], rows.take(pa.array(order))
        starts = np.flatnonzero((np.diff(windows) != 0) | (np.diff(versions) != 0)) + 1
        groups = list(itertools.pairwise([0, *starts.tolist(), rows.num_rows]))
    for start, end in groups:
        if windows[start] != NO_WINDOW:
            yield _count(rows.slice(start, end - start), int(windows[start]), int(versions[start]), counter_of)


def _by_canary(rows: pa.Table) -> npt.NDArray[np.bool_]:
    rules = rows.column(VERSION_RULE)
    return np.asarray(pc.fill_null(pc.starts_with(rules, CANARY), False).to_numpy())


def _count(rows: pa.Table, window: int, version: int, counter_of: Callable[[int], tuple[str, Counter]]) -> CountedPart:
    if version == UNSCORED:
        return CountedPart(window, rows.num_rows, None, None)
    profile, counter = counter_of(version)
    return CountedPart(window, rows.num_rows, version, (profile, counter.count(rows)))
