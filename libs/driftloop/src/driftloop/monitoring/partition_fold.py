"""Folding one partition of ``<stream>.inferences`` into counts per window and model version. Pure: no clock, no client."""

from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec
import pyarrow.compute as pc

from driftloop.contracts.events import WindowSketched
from driftloop.contracts.gaps import AcceptedGap, after_gaps
from driftloop.contracts.headers import Headers, RequestRange
from driftloop.contracts.topics import inferences
from driftloop.contracts.values import Window
from driftloop.contracts.windows import shifted
from driftloop.errors import GapError, InvalidMessage, OutOfTurn
from driftloop.monitoring.counting import CountedPart, split
from driftloop.monitoring.open_window import OpenWindow
from driftloop.monitoring.partition_state import STATE_KEY, PartitionState, window_key
from driftloop.monitoring.window_index import WindowIndex, latest
from driftloop.ports import Record, TopicEnds
from driftloop.project.model import Project
from driftloop.rows.inferences import InferenceDecoder, accounted_range
from driftloop.rows.request_ranges import NO_REQUESTS, check_end, is_within
from driftloop.rows.schemas import inference_schema
from driftloop.statistics.histograms import Counter

KEPT_CLOSED_WINDOWS = 3  # late rows of these give a correction; of older ones they are only counted
MAX_WINDOWS = 400  # kept at once; bounds the state however far into the future a stranger's rows reach
MAX_EMPTY_WINDOWS = 100  # sent when a watermark jumps; the reader takes a later window for the closing of earlier ones


class ProfileNeeded(Exception):
    """Rows of this version cannot be counted before its profile is loaded; nothing was folded."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the profile of version {version} is not loaded")
        self.version = version


class RequestsEndNeeded(Exception):
    """This range goes beyond the requests, as far as is known; nothing was folded. See ``PartitionFold.tell_requests``."""

    def __init__(self, claimed: RequestRange) -> None:
        super().__init__(f"whether the requests of topic {claimed.topic_id} reach {claimed.end} is not known")
        self.claimed = claimed


class PartitionFold:
    """The state of one partition, message by message. ``counter_of`` may raise ProfileNeeded."""

    def __init__(
        self,
        project: Project,
        partition: int,
        partitions: int,
        counter_of: Callable[[int], tuple[str, Counter]],
        state: PartitionState,
        requests: TopicEnds = NO_REQUESTS,
    ) -> None:
        """``requests``: what is known of where the stream's requests end; more is told when it is needed."""
        self.partition, self._partitions = partition, partitions
        self._project, self._counter_of = project, counter_of
        self._decoder, self._no_rows = InferenceDecoder(project.schema), inference_schema(project.schema).empty_table()
        self._plan = WindowIndex(project.windows)
        self._state = state
        self._windows: dict[int, OpenWindow] = {}
        self._ready: list[WindowSketched] = []  # closings, as they were at their closing offset
        self._corrected: set[int] = set()
        self._changed = {counts.window for counts in state.windows}  # all of them, since earlier releases stored them elsewhere
        self._gaps: frozenset[AcceptedGap] = frozenset()
        self._requests, self._told_at = requests, -1  # ``_told_at``: the message for which it was told last
        self.new_plan = self._restore()
        state.windows = []  # they are in ``_windows`` now
        self._begin = self._plan.first if state.begins_at is None else self._plan.first_from(state.begins_at)
        self._closed = None if state.closed_up_to is None else max(self._plan.closed_before(state.closed_up_to), self._begin)

    def _restore(self) -> bool:
        """Take up the stored windows; whether the project has declared others since.

        Then the open ones of before end as they are, as far as rows have reached them, so that what is counted is told; and the
        first of the new ones begins at the first boundary after them, where no row is counted yet.
        """
        state, plan = self._state, self._plan
        at = {counts.window: plan.index(counts.window) for counts in state.windows}
        self._windows = {i: OpenWindow.restore(counts) for counts in state.windows if (i := at[counts.window]) is not None}
        if None not in at.values() and (state.closed_up_to is None or plan.is_boundary(state.closed_up_to)):
            return False
        reached = None if state.watermark is None else shifted(state.watermark, self._project.allowed_lateness)
        still_open = [c for c in state.windows if state.closed_up_to is None or c.window.end > state.closed_up_to]
        gone = [c for c in still_open if at[c.window] is None and reached is not None and c.window.start <= reached]
        end = max((c.window.end for c in gone), default=state.closed_up_to)
        for counts in sorted(still_open, key=lambda c: c.window.start):
            if end is not None and counts.window.end <= end:
                self._ready.append(self._sketched(counts.window, OpenWindow.restore(counts)))
            elif at[counts.window] is None:
                state.too_early_rows += counts.rows
        state.closed_up_to = state.begins_at = end
        return True

    @property
    def begins_at(self) -> datetime | None:
        """Where the windows that the project declares now began; None: it has always declared these."""
        return self._state.begins_at

    @property
    def next_offset(self) -> int:
        return self._state.next_offset

    @property
    def uncounted_rows(self) -> tuple[int, int]:
        """Rows that are in no sketch: too late, for windows no longer kept; too early, for more windows than are kept."""
        return self._state.too_late_rows, self._state.too_early_rows

    @property
    def too_wide(self) -> dict[Window, int]:
        """Windows of which only rows are counted, since their counts came to more bytes than can be stored."""
        return {self._plan.window(index): held.too_wide for index, held in list(self._windows.items()) if held.too_wide}

    @property
    def closed_up_to(self) -> datetime | None:
        return self._state.closed_up_to

    def permit(self, gaps: Iterable[AcceptedGap]) -> bool:
        """Requests that were given up are no gap from now on. Whether any of these was not known."""
        known, self._gaps = self._gaps, self._gaps | frozenset(gaps)
        return self._gaps != known

    def tell_requests(self, requests: TopicEnds) -> None:
        """The answer to RequestsEndNeeded: where the requests end now, asked for after the message was read."""
        self._requests, self._told_at = requests, self.next_offset

    def go_on_from(self, offset: int) -> None:
        """The messages before ``offset`` that were not folded were given up, and with them whatever requests they accounted for."""
        if offset > self._state.next_offset:
            self._state.next_offset = offset
            self._state.requests.clear()

    def add(self, offset: int, value: bytes | None, headers: Headers, written: datetime | None = None) -> int:
        """Fold one message; returns its rows. A message below ``next_offset`` changes nothing. ``written``: when it was, by
        the broker's clock; a watermark too far beyond it is not believed, and no row's time.

        Raises GapError when messages or requests were skipped, InvalidMessage when it can never be read (then ``skip``
        it), ProfileNeeded, RequestsEndNeeded; after any of them the state is as before.
        """
        if offset < self.next_offset:
            return 0
        if offset > self.next_offset:
            raise OutOfTurn(f"partition {self.partition}: message {offset} came where {self.next_offset} was due")
        found, covered, mark = self._decoder.decode(self._record(offset, value, headers))
        self._check_end(covered)
        expected = self._expected(covered)
        rows = self._no_rows if found is None else found
        if rows.num_rows and covered is not None and expected > covered.start:
            rows = rows.filter(pc.greater_equal(rows.column("request_offset"), expected))
        parts = list(split(rows, self._plan, self._counter_of, ruled=self._project.schema.has_version_rule))
        self._add(parts)
        if covered is not None:
            self._state.requests[covered.topic_id] = max(expected, covered.end)
        self._state.next_offset = offset + 1
        promised = mark is not None
        if rows.num_rows and mark is None:
            seen = latest(rows.column("event_time"), rows.column("scored_at"), self._project.ahead, written)
            mark = None if seen is None else shifted(seen, -self._project.allowed_lateness)
        ahead = self._project.ahead
        if promised and written is not None and ahead is not None and mark is not None and mark > written + ahead:
            mark = None  # of a predictor of before, which passed on what a wrong clock had promised
        if mark is not None:
            self._advance(mark, promised=promised)
        return int(rows.num_rows)

    def pass_over(self, offset: int) -> None:
        """There are no messages below ``offset`` that were not taken: their offsets belong to none."""
        self._state.next_offset = max(self._state.next_offset, offset)

    def skip(self, offset: int, headers: Headers) -> None:
        """Pass over an invalid message; the requests that it accounts for, if that can be read and can be, count as done. Raises
        GapError when requests before them were skipped, RequestsEndNeeded; the state is as before then."""
        if offset < self.next_offset:
            return
        covered = accounted_range(self._record(offset, None, headers))
        if covered is not None:
            try:
                self._check_end(covered)
            except InvalidMessage:
                covered = None
        if covered is not None and self._expected(covered) < covered.end:
            self._state.requests[covered.topic_id] = covered.end
        self._state.next_offset = offset + 1

    def drain(self) -> list[WindowSketched]:
        """Counts to send: of the windows closed since the last call, then those of closed windows that were corrected, as of now."""
        ready = self._ready + [self._counted(index) for index in sorted(self._corrected)]
        self._ready, self._corrected = [], set()
        return ready

    def state(self) -> PartitionState:
        self._state.windows = [self._windows[index].store(self._plan.window(index)) for index in sorted(self._windows)]
        return self._state

    def changes(self) -> dict[bytes, bytes | None]:
        """Table values to write since the last call, None to delete one: of the windows that changed, and of offsets."""
        values: dict[bytes, bytes | None] = {}
        for window in sorted(self._changed, key=lambda w: (w.start, w.end)):
            index = self._plan.index(window)
            held = None if index is None else self._windows.get(index)
            values[window_key(window)] = None if held is None else held.encode(window)
        self._changed = set()
        values[STATE_KEY] = msgspec.structs.replace(self._state, windows=[]).encode()
        return values

    def _check_end(self, covered: RequestRange | None) -> None:
        if covered is None or is_within(covered, self._requests):
            return
        if self._told_at != self.next_offset:
            raise RequestsEndNeeded(covered)
        check_end(covered, self._requests)

    def _expected(self, covered: RequestRange | None) -> int:
        if covered is None:
            return 0
        expected = self._state.requests.get(covered.topic_id, covered.start)
        if covered.start > after_gaps(self._gaps, covered.topic_id, self.partition, expected):
            raise GapError(
                f"partition {self.partition}: requests [{expected}, {covered.start}) of topic {covered.topic_id} are not accounted for"
            )
        return expected

    def _record(self, offset: int, value: bytes | None, headers: Headers) -> Record:
        return Record(inferences(self._project.stream), self.partition, offset, 0, None, value, headers)

    def _add(self, parts: list[CountedPart]) -> None:
        for index, n_rows, version, counted in parts:
            late = self._closed is not None and index < self._closed
            if index < self._begin or (late and index < (self._closed or 0) - KEPT_CLOSED_WINDOWS):
                self._state.too_late_rows += n_rows
            elif index not in self._windows and not self._room_for(index):
                self._state.too_early_rows += n_rows
            else:
                self._windows.setdefault(index, OpenWindow()).add(n_rows, late=late, version=version, counted=counted)
                self._changed.add(self._plan.window(index))
                if late:
                    self._corrected.add(index)

    def _room_for(self, index: int) -> bool:
        """Whether a window may be opened: the farthest in the future gives way, so that strays of wrong clocks do not take
        the place of what is to come next."""
        if len(self._windows) < MAX_WINDOWS:
            return True
        farthest = max(self._windows)
        if farthest < index:
            return False
        self._state.too_early_rows += self._windows.pop(farthest).rows
        self._changed.add(self._plan.window(farthest))
        return True

    def _advance(self, mark: datetime, *, promised: bool) -> None:
        if self._state.watermark is not None and mark <= self._state.watermark:
            return
        self._state.watermark = mark
        before = self._plan.closed_before(mark)
        if self._closed is not None and before <= self._closed:
            return
        for index in self._closing(before, promised=promised):
            self._ready.append(self._counted(index))
        self._closed = before
        if before > self._plan.first:
            self._state.closed_up_to = self._plan.window(before - 1).end
        for index in [i for i in self._windows if i < before - KEPT_CLOSED_WINDOWS]:
            if index in self._corrected:
                self._ready.append(self._counted(index))
                self._corrected.discard(index)
            del self._windows[index]
            self._changed.add(self._plan.window(index))

    def _closing(self, before: int, *, promised: bool) -> list[int]:
        """Indices to send: the filled windows and the empty ones between. A partition that begins with a promise instead of
        rows sends the last window that is over by then, so that the others need not wait for it."""
        filled = [i for i in self._windows if i < before and (self._closed is None or i >= self._closed)]
        first = self._closed if self._closed is not None else min(filled, default=before - 1 if promised else before)
        return sorted({*filled, *range(max(first, before - MAX_EMPTY_WINDOWS, self._plan.first), before)})

    def _counted(self, index: int) -> WindowSketched:
        return self._sketched(self._plan.window(index), self._windows.get(index, OpenWindow()))

    def _sketched(self, window: Window, held: OpenWindow) -> WindowSketched:
        held.encode(window)  # what cannot be stored cannot be sent
        return WindowSketched(
            stream=self._project.stream,
            window=window,
            partition=self.partition,
            partitions=self._partitions,
            closing_offset=self.next_offset,
            topic_id=self._state.topic_id,
            rows=held.rows,
            late_rows=held.late_rows,
            sketches=held.by_version(),
        )
