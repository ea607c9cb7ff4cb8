"""What a retrain decision is based on: what is known about one closed window, put together from its summary and its reports."""

from collections.abc import Sequence

import msgspec

from driftloop.contracts.events import PerformanceReported
from driftloop.contracts.values import Interval, Part, Window
from driftloop.monitoring.assembly import WindowSummary
from driftloop.statistics.distances import RANKED_BY


class Evidence(Part, frozen=True, kw_only=True):
    """``version``: of the newest model that scored rows of the window; null: none did. ``measured``: its metric there."""

    window: Window
    version: int | None
    rows: int
    labelled: int
    drifted: bool
    metric: str
    measured: Interval | None = None
    statistic: str | None = None  # of the column that moved most, as <statistic>:<column>
    value: float | None = None  # of that statistic
    threshold: float | None = None
    closing_offsets: dict[str, int] = msgspec.field(default_factory=dict)
    inferences_version: int | None = None
    labels_version: int | None = None
    runs_in_flight: tuple[str, ...] = ()  # request ids


def window_evidence(
    window: Window, summary: WindowSummary, reports: Sequence[PerformanceReported], runs_in_flight: tuple[str, ...]
) -> Evidence:
    """``reports``: the window's, as ``performance_reports`` gives them: one of all versions together, then one of each.

    Where the newest version has no report of its own, nothing was measured. Raises ValueError without the report of all
    together: it says how many labels there are.
    """
    together = next((report for report in reports if report.version is None), None)
    if together is None:
        raise ValueError(f"no performance report of all versions together on the window from {window.start.isoformat()}")
    newest = None if summary.version is None else next((r for r in reports if r.version == summary.version), None)
    return Evidence(
        window=window,
        version=summary.version,
        rows=summary.rows,
        labelled=together.labelled,
        drifted=summary.drifted,
        metric=together.metric,
        measured=None if newest is None else newest.measured,
        statistic=None if summary.column is None else f"{RANKED_BY}:{summary.column}",
        value=summary.value,
        threshold=summary.threshold,
        closing_offsets=summary.closing_offsets,
        inferences_version=together.inferences_version,
        labels_version=together.labels_version,
        runs_in_flight=runs_in_flight,
    )
