"""What a retrain decision is based on: what is known about one closed window, put together from its summary and its reports."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

import msgspec

from driftloop.contracts.events import PerformanceReported
from driftloop.contracts.values import Count, Interval, Part, RowCount, Time, Window, WindowAnswer
from driftloop.monitoring.assembled_window import WindowSummary
from driftloop.monitoring.late_labels import CountedLabels, WindowLabels, late_labels, window_to_judge_on
from driftloop.statistics.distances import RANKED_BY


class Evidence(Part, frozen=True, kw_only=True):
    """``version``: the one that scored most rows of the window; null: none did. ``measured``: its metric there. ``drifted``: whether
    the window is one of the policy's k of n."""

    window: Window
    version: int | None
    rows: RowCount
    labelled: RowCount
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
    labels_landed_since: Count = 0  # in windows that were decided before, and that no decision has counted
    late: tuple[WindowLabels, ...] = ()  # those windows, as they are now
    judge_on: Window | None = None  # what a request names; null: the window itself
    decided_at: Time | None = None  # wall time; null in decisions of before
    answer: WindowAnswer | None = None  # what the window means; null in decisions of before, and where no model scored it

    @property
    def new_labels(self) -> int:
        return self.labelled + self.labels_landed_since


def window_evidence(
    window: Window,
    summary: WindowSummary,
    reports: Sequence[PerformanceReported],
    runs_in_flight: tuple[str, ...],
    earlier: Sequence[WindowLabels] = (),
    counted: Mapping[Window, CountedLabels] = MappingProxyType({}),
    decided_at: datetime | None = None,
) -> Evidence:
    """``reports``: the window's, as ``performance_reports`` gives them: one of all versions together, then one of each.

    Where that version has no report of its own, nothing was measured. Raises ValueError without the report of all
    together: it says how many labels there are. ``earlier``: windows before this one, oldest first, with their labels as of
    now; ``counted``: those that decisions have counted.
    """
    together = next((report for report in reports if report.version is None), None)
    if together is None:
        raise ValueError(f"no performance report of all versions together on the window from {window.start.isoformat()}")
    late, judged = late_labels(earlier, counted), window_to_judge_on(window, earlier, counted)
    its_own = None if summary.version is None else next((r for r in reports if r.version == summary.version), None)
    return Evidence(
        window=window,
        version=summary.version,
        rows=summary.rows,
        labelled=together.labelled,
        drifted=summary.drifted if summary.repeated is msgspec.UNSET else summary.repeated,
        metric=together.metric,
        measured=None if its_own is None else its_own.measured,
        statistic=None
        if summary.column is None
        else f"{RANKED_BY if summary.statistic is msgspec.UNSET else summary.statistic}:{summary.column}",
        value=summary.value,
        threshold=summary.threshold,
        closing_offsets=summary.closing_offsets,
        inferences_version=together.inferences_version,
        labels_version=together.labels_version,
        runs_in_flight=runs_in_flight,
        labels_landed_since=sum(each.labelled - counted[each.window].counted for each in late),
        late=late,
        judge_on=None if judged == window else judged,
        decided_at=decided_at,
        answer=None if its_own is None or its_own.answer is msgspec.UNSET else its_own.answer,
    )
