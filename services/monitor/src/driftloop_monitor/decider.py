"""From a closed window to its performance reports and its one decision, by what lake and history hold."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

import msgspec

from driftloop import metrics
from driftloop.contracts.codec import caused_id
from driftloop.contracts.events import DecisionMade, PerformanceReported, RetrainRequested
from driftloop.contracts.meaning import MAX_INTEGER
from driftloop.contracts.topics import DECISIONS, PERFORMANCE_REPORTS, RETRAIN_REQUESTS
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Window
from driftloop.contracts.windows import parse_duration
from driftloop.history.model_history import ModelHistory
from driftloop.lake.join import JoinCounts
from driftloop.monitoring.assembled_window import AssembledWindow, WindowSummary
from driftloop.monitoring.assembly import UNDECIDED_WINDOWS
from driftloop.monitoring.evidence import window_evidence
from driftloop.monitoring.forgotten_windows import Forgotten, WindowsToMeasure
from driftloop.monitoring.late_labels import WindowLabels
from driftloop.monitoring.performance import LastReport, ProfileOf, no_profile, performance_reports, unknown_classes
from driftloop.monitoring.policy import decide, restore
from driftloop.ports import Clock, EventPublisher
from driftloop.project.model import Project
from driftloop.telemetry import get_logger
from driftloop_monitor.beside_champion import BesideChampion
from driftloop_monitor.lake_view import LakeView
from driftloop_monitor.shadow_view import ShadowView
from driftloop_monitor.window_answers import WindowAnswers

MAX_KNOWN = 3 * UNDECIDED_WINDOWS  # of one partition of the sketches, and of others where their number has changed
WINDOWS_PER_STEP = 10  # bounds one step when late labels touch many windows

log = get_logger(__name__)


class Decider:
    """One step after another, in one thread. ``sync`` returns once the history holds all that was published before."""

    def __init__(
        self,
        project: Project,
        lake: LakeView,
        history: ModelHistory,
        publisher: EventPublisher,
        clock: Clock,
        sync: Callable[[], None],
        profile_of: ProfileOf = no_profile,
        shadow: ShadowView | None = None,
    ) -> None:
        """``shadow``: what challengers answered; None: nobody is asked."""
        self._shadow = shadow
        self._project, self._lake, self._history, self._profile_of = project, lake, history, profile_of
        self._answers = WindowAnswers(project, history, profile_of)
        self._beside = BesideChampion(project, lake, history, publisher, profile_of, shadow)
        self._publisher, self._clock, self._sync = publisher, clock, sync
        self._dirty: dict[Window, None] = {}  # in the order in which they changed: each has its turn, however many do so all the time
        self._known: dict[Window, None] = {}  # in the order in which they were shown
        self._told: list[PerformanceReported] = []
        self._windows: Sequence[AssembledWindow] = ()
        self._late = WindowsToMeasure(project.windows)

    def step(
        self, complete: Sequence[AssembledWindow], forgotten: Forgotten | None = None, lake_seen: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        """Report and decide what can be by now. Raises TransientError; a repeat does nothing twice.

        ``forgotten``: the windows before those; what the lake got for them since the versions ``lake_seen`` is reported, too.
        """
        self._windows = complete
        for held in complete:
            if held.window not in self._known:
                self._known[held.window] = None
                self._dirty.setdefault(held.window)
        while len(self._known) > MAX_KNOWN:
            del self._known[next(iter(self._known))]
        if not complete or not self._lake.refresh():
            return
        if self._shadow is not None:
            self._shadow.refresh()
        self._mark_changed(complete, forgotten, lake_seen)
        if not self._dirty and not self._late and not self.undecided(complete) and not self._not_requested():
            return
        self._read_back()
        self._report_dirty(complete)
        self._report_forgotten()
        self._request_accepted()
        for held in self.undecided(complete):
            if held.summary is None or not self._settled(held.window, held.summary):
                return  # decisions follow the windows' order
            self._decide(held, held.summary, [other for other in complete if other.window.end <= held.window.start])

    @property
    def lake_seen(self) -> Mapping[str, int]:
        """Versions of the lake's tables up to which everything that came is in a report on a forgotten window, as far as it is for
        one; empty while that is not known."""
        return {} if self._late else self._lake.seen

    def take_told(self) -> list[PerformanceReported]:
        """The last reports on windows, as far as the windows do not remember them yet; each is handed out once."""
        told, self._told = self._told, []
        return told

    def undecided(self, complete: Iterable[AssembledWindow]) -> list[AssembledWindow]:
        """Those that wait for their decision, as far as the history has come. Asks nobody."""
        decided = {d.window for d in self._history.retrain_decisions() if d.window is not None}
        up_to = self._history.carried(self._project.model).decided_up_to
        return [held for held in complete if held.window not in decided and (up_to is None or held.window.end > up_to)]

    def _read_back(self) -> None:
        self._sync()
        self._answers.read_back()

    def _settled(self, window: Window, summary: WindowSummary) -> bool:
        return self._lake.holds(summary.closing_offsets, summary.topic_ids or {}) and self._lake.labels_known(window)

    def _mark_changed(self, complete: Sequence[AssembledWindow], forgotten: Forgotten | None, lake_seen: Mapping[str, int]) -> None:
        answered = [] if self._shadow is None else self._shadow.changed()
        for low, high in [*self._lake.changed(lake_seen), *answered]:
            for held in complete:
                if held.window.start <= high and low < held.window.end:
                    self._dirty.setdefault(held.window)
            if forgotten is not None:
                self._late.add(low, high, forgotten)

    def _report_forgotten(self) -> None:
        for window in self._late.first(WINDOWS_PER_STEP):
            self._report(AssembledWindow(window))
            self._late.done(window)

    def _report_dirty(self, complete: Sequence[AssembledWindow]) -> None:
        windows = {held.window: held for held in complete}
        due = (window for window in self._dirty if self._all_there(windows.get(window)))
        for window in list(itertools.islice(due, WINDOWS_PER_STEP)):
            self._report(windows.get(window) or AssembledWindow(window))
            del self._dirty[window]

    def _all_there(self, held: AssembledWindow | None) -> bool:
        return held is None or held.summary is None or self._lake.holds(held.summary.closing_offsets, held.summary.topic_ids or {})

    def _report(self, held: AssembledWindow) -> list[PerformanceReported]:
        """Measure a window; publish what differs from the last report on it. Nothing is told of a forgotten one without rows."""
        reports, counts = list[PerformanceReported](), JoinCounts()
        rows = self._lake.rows(held.window, counts)
        if held.summary is None and not rows.num_rows:
            return reports
        metrics.UNKNOWN_CLASSES.labels(self._project.model).set(unknown_classes(rows))
        alone, beside = counts.labels - counts.joined, self._beside.of(held.window, rows)
        for made in performance_reports(self._project, held.window, rows, *self._lake.versions, alone, self._profile_of):
            measured = beside.told(self._answers.answered(made, held.summary, self._windows))
            report = self._as_told(held, measured) or self._tell(held, measured)
            if LastReport.of(report) != held.last_report(report.version):
                self._told.append(report)
            reports.append(report)
        return reports

    def _as_told(self, held: AssembledWindow, measured: PerformanceReported) -> PerformanceReported | None:
        """The last report, if it says the same."""
        last = self._last(held, measured.version)
        if last is None or last.content != LastReport.of(measured).content:
            return None
        published = self._history.performance_report(measured.model, held.window, measured.version)
        if published is not None and published.revision == last.revision:
            return published
        return msgspec.structs.replace(measured, revision=last.revision)

    def _tell(self, held: AssembledWindow, measured: PerformanceReported) -> PerformanceReported:
        last = self._last(held, measured.version)
        # Of a window that was forgotten nobody may know the last number. It is not higher than this sum: each came of a commit.
        first = 0 if held.summary is not None else sum(self._lake.versions)
        report = msgspec.structs.replace(measured, revision=first if last is None else min(last.revision + 1, MAX_INTEGER))
        # The content is part of the id: a report that says something else is another one, whatever its number.
        what = report.stream, *_ends(held.window), report.version, report.revision, LastReport.of(report).content
        self._publisher.publish(PERFORMANCE_REPORTS, report, key=report.model, id=caused_id("performance", *what))
        return report

    def _last(self, held: AssembledWindow, version: int | None) -> LastReport | None:
        """By history and window: the topic forgets after a while, and the window is told a little later."""
        published = self._history.performance_report(self._project.model, held.window, version)
        remembered = held.last_report(version)
        if published is None or (remembered is not None and remembered.revision > published.revision):
            return remembered
        return LastReport.of(published)

    def _labels(self, windows: Iterable[AssembledWindow]) -> list[WindowLabels]:
        """As last reported, oldest first."""
        found = [(held.window, self._last(held, None)) for held in windows]
        return [WindowLabels(window=window, rows=last.rows, labelled=last.labelled) for window, last in found if last is not None]

    def _decide(self, held: AssembledWindow, summary: WindowSummary, earlier: Sequence[AssembledWindow]) -> None:
        self._read_back()
        window = held.window
        reports = self._report(held)
        self._dirty.pop(window, None)
        # What was decided before it, and no forged word on a window that is yet to come: that would hold this one back until then.
        decisions = [d for d in self._history.retrain_decisions() if d.window is not None and _ends(d.window) < _ends(window)]
        in_flight = self._history.in_flight(self._clock.now() - self._run_limit())
        counted = self._history.counted_labels(self._project.model)
        evidence = window_evidence(window, summary, reports, in_flight, self._labels(earlier), counted, self._clock.now())
        state = restore(self._project.policy, decisions, self._history.carried(self._project.model))
        _, decision = decide(self._project.policy, state, evidence)
        event = DecisionMade(
            model=self._project.model,
            kind="retrain",
            accepted=decision.accepted,
            reason=decision.reason,
            window=window,
            rule=decision.rule,
            evidence=msgspec.to_builtins(evidence) | {"trigger": decision.trigger} | ({"dry_run": True} if decision.dry_run else {}),
            request_id=self._request_id(window) if decision.accepted else None,
        )
        self._beside.put_to_the_gate(window, reports)
        self._publisher.publish(DECISIONS, event, key=event.model, id=self._decision_id(window))
        log.info("decided", window=window.start.isoformat(), accepted=event.accepted, reason=event.reason)
        self._read_back()
        self._request_accepted()

    def _request_accepted(self) -> None:
        """Publish the request of every accepted decision as the history has it; a twin may have decided first."""
        for decision, request_id in self._not_requested():
            request = RetrainRequested(
                model=decision.model,
                reason=decision.evidence.get("trigger") or "window",
                detail=decision.reason,
                window=_judged_on(decision),
                requested_by="driftloop/monitor",
                evidence=decision.evidence,
            )
            self._publisher.publish(RETRAIN_REQUESTS, request, key=request.model, id=request_id)

    def _not_requested(self) -> list[tuple[DecisionMade, str]]:
        """Accepted decisions whose request the history does not have: a broker that goes away comes between the two."""
        known = ((decision, decision.request_id) for decision in self._history.retrain_decisions() if decision.accepted)
        return [(decision, of) for decision, of in known if of is not None and decision.window and not self._history.requested(of)]

    def _run_limit(self) -> timedelta:
        """Older requests without an end count as lost; asking again is harmless, since the trainer answers both with one run."""
        return 2 * parse_duration(self._project.training.timeout) + timedelta(hours=1)

    def _decision_id(self, window: Window) -> str:
        return caused_id("decision", "retrain", self._project.model, *_ends(window))

    def _request_id(self, window: Window) -> str:
        return caused_id("retrain", self._project.model, *_ends(window))


def _judged_on(decision: DecisionMade) -> Window | None:
    named = decision.evidence.get("judge_on")
    return decision.window if named is None else msgspec.convert(named, prepared(Window))


def _ends(window: Window) -> tuple[datetime, datetime]:
    return window.start, window.end
