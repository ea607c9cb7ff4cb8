"""From a closed window to its performance reports and its one decision, by what lake and history hold."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from driftloop.contracts.codec import caused_id
from driftloop.contracts.events import DecisionMade, PerformanceReported, RetrainRequested
from driftloop.contracts.topics import DECISIONS, PERFORMANCE_REPORTS, RETRAIN_REQUESTS
from driftloop.contracts.values import Window
from driftloop.contracts.windows import parse_duration
from driftloop.history.model_history import ModelHistory
from driftloop.monitoring.assembly import AssembledWindow, WindowSummary
from driftloop.monitoring.evidence import window_evidence
from driftloop.monitoring.performance import performance_reports, same_content
from driftloop.monitoring.policy import decide, restore
from driftloop.ports import Clock, EventPublisher
from driftloop.project.model import Project
from driftloop.telemetry import get_logger
from driftloop_monitor.lake_view import LakeView

WINDOWS_PER_STEP = 10  # bounds one step when late labels touch many windows

log = get_logger(__name__)


class Decider:
    """One step after another, in one thread. ``sync`` returns once the history holds all that was published before."""

    def __init__(
        self, project: Project, lake: LakeView, history: ModelHistory, publisher: EventPublisher, clock: Clock, sync: Callable[[], None]
    ) -> None:
        self._project, self._lake, self._history = project, lake, history
        self._publisher, self._clock, self._sync = publisher, clock, sync
        self._dirty: dict[datetime, Window] = {}
        self._known: set[datetime] = set()

    def step(self, complete: Sequence[AssembledWindow]) -> None:
        """Report and decide what can be by now. Raises TransientError; a repeat does nothing twice."""
        for held in complete:
            if held.window.start not in self._known:
                self._known.add(held.window.start)
                self._dirty[held.window.start] = held.window
        if not complete or not self._lake.refresh():
            return
        self._mark_changed(complete)
        if not self._dirty and not self._undecided(complete):
            return
        self._sync()
        self._report_dirty(complete)
        self._request_accepted()
        for held in self._undecided(complete):
            if held.summary is None or not self._settled(held.window, held.summary):
                return  # decisions follow the windows' order
            self._decide(held.window, held.summary)

    def _undecided(self, complete: Iterable[AssembledWindow]) -> list[AssembledWindow]:
        decided = {d.window.start for d in self._history.retrain_decisions() if d.window is not None}
        up_to = self._history.carried(self._project.model).decided_up_to
        return [held for held in complete if held.window.start not in decided and (up_to is None or held.window.end > up_to)]

    def _settled(self, window: Window, summary: WindowSummary) -> bool:
        return self._lake.holds(summary.closing_offsets, summary.topic_ids or {}) and self._lake.labels_known(window)

    def _mark_changed(self, complete: Sequence[AssembledWindow]) -> None:
        for low, high in self._lake.changed():
            for held in complete:
                if held.window.start <= high and low < held.window.end:
                    self._dirty[held.window.start] = held.window

    def _report_dirty(self, complete: Sequence[AssembledWindow]) -> None:
        summaries = {held.window.start: held.summary for held in complete}
        for start in sorted(self._dirty)[:WINDOWS_PER_STEP]:
            summary = summaries.get(start)
            if summary is None or self._lake.holds(summary.closing_offsets, summary.topic_ids or {}):
                self._report(self._dirty[start])
                del self._dirty[start]

    def _report(self, window: Window) -> list[PerformanceReported]:
        """Measure a window; publish what differs from the last report on it."""
        reports = []
        for measured in performance_reports(self._project, window, self._lake.rows(window), *self._lake.versions):
            before = self._history.performance_report(measured.model, window.start, measured.version)
            if before is not None and same_content(before, measured):
                reports.append(before)
                continue
            report = msgspec.structs.replace(measured, revision=0 if before is None else before.revision + 1)
            cause = caused_id("performance", report.stream, window.start, report.version, report.revision)
            self._publisher.publish(PERFORMANCE_REPORTS, report, key=report.model, id=cause)
            reports.append(report)
        return reports

    def _decide(self, window: Window, summary: WindowSummary) -> None:
        self._sync()
        reports = self._report(window)
        self._dirty.pop(window.start, None)
        evidence = window_evidence(window, summary, reports, self._history.in_flight(self._clock.now() - self._run_limit()))
        state = restore(self._project.policy, self._history.retrain_decisions(), self._history.carried(self._project.model))
        _, decision = decide(self._project.policy, state, evidence)
        event = DecisionMade(
            model=self._project.model,
            kind="retrain",
            accepted=decision.accepted,
            reason=decision.reason,
            window=window,
            rule=decision.rule,
            evidence=msgspec.to_builtins(evidence) | {"trigger": decision.trigger},
            request_id=self._request_id(window) if decision.accepted else None,
        )
        self._publisher.publish(DECISIONS, event, key=event.model, id=self._decision_id(window))
        log.info("decided", window=window.start.isoformat(), accepted=event.accepted, reason=event.reason)
        self._sync()
        self._request_accepted()

    def _request_accepted(self) -> None:
        """Publish the request of every accepted decision as the history has it; a twin may have decided first."""
        for decision in self._history.retrain_decisions():
            request_id = decision.request_id
            if not decision.accepted or request_id is None or decision.window is None or self._history.requested(request_id):
                continue
            request = RetrainRequested(
                model=decision.model,
                reason=decision.evidence.get("trigger") or "window",
                detail=decision.reason,
                window=decision.window,
                requested_by="driftloop/monitor",
                evidence=decision.evidence,
            )
            self._publisher.publish(RETRAIN_REQUESTS, request, key=request.model, id=request_id)

    def _run_limit(self) -> timedelta:
        """Older requests without an end count as lost; asking again is harmless, since the trainer answers both with one run."""
        return 2 * parse_duration(self._project.training.timeout) + timedelta(hours=1)

    def _decision_id(self, window: Window) -> str:
        return caused_id("decision", "retrain", self._project.model, window.start)

    def _request_id(self, window: Window) -> str:
        return caused_id("retrain", self._project.model, window.start, window.end)
