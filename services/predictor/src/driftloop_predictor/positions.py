"""Where to go on in ``requests``: behind the last range that ``inferences`` accounts for."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from driftloop.contracts.headers import request_position
from driftloop.errors import GapError, InvalidMessage, TransientError
from driftloop.ports import MessageConsumer, Record, TopicPartition
from driftloop.rows.inferences import claimed_range
from driftloop.service.accepted_gaps import WAY_ON
from driftloop.telemetry import get_logger

PATIENCE_SECONDS = 30
FIRST_LOOK = 8  # messages; each further look back is four times as long
# All looks together. Every message of a stream's own predictors says where its partition has got to; without one among so
# many there were none since long ago, and beginning anew costs work but no row: readers trim what they have.
MOST = 20_000

log = get_logger(__name__)

OpenReader = Callable[[Sequence[TopicPartition]], MessageConsumer]
AfterGaps = Callable[[str, int, int], int]  # as ``AcceptedGaps.after``


class RequestTopic(Protocol):
    """What the handler asks about ``requests``. Everything raises TransientError."""

    def topic_id(self) -> str:
        """The id under which the topic was made: another one after it was deleted and made anew."""

    def next_offsets(self, partitions: Sequence[int], topic_id: str) -> dict[int, int]:
        """By partition, the first offset that no inferences message accounts for."""

    def times_at(self, offsets: Mapping[int, int]) -> dict[int, int]:
        """By partition, when the first request at this offset or behind it was sent, in milliseconds; without those that have none."""

    def end_offset(self, tp: TopicPartition) -> int:
        """Where the next record of the partition will be."""


class Positions:
    """Keeps ``RequestTopic``: reads ranges back from ``inferences``. Kafka's committed offsets are not asked: they may be ahead of what
    is there."""

    def __init__(
        self,
        open_reader: OpenReader,
        topic_id: Callable[[str], str],
        partitions: Callable[[str], int],
        *,
        requests: str,
        inferences: str,
        after_gaps: AfterGaps,
    ) -> None:
        self._open_reader, self._topic_id, self._partitions = open_reader, topic_id, partitions
        self._requests, self._inferences, self._after_gaps = requests, inferences, after_gaps
        self._asking: MessageConsumer | None = None

    def topic_id(self) -> str:
        """Of ``requests`` as it is now: offsets start again when a topic is made anew."""
        return self._topic_id(self._requests)

    def end_offset(self, tp: TopicPartition) -> int:
        if self._asking is None:
            self._asking = self._open_reader([tp])
        return self._asking.end_offsets([tp])[tp]

    def times_at(self, offsets: Mapping[int, int]) -> dict[int, int]:
        """By partition, when the first request at this offset or behind it was sent, in milliseconds; without those that have none."""
        tps = {TopicPartition(self._requests, p): offset for p, offset in offsets.items()}
        found: dict[int, int] = {}
        reader = self._open_reader(list(tps))
        try:
            ends = reader.end_offsets(list(tps))
            for tp, offset in tps.items():
                reader.seek(tp, offset)
            deadline = time.monotonic() + PATIENCE_SECONDS
            while unread := [tp for tp in tps if tp.partition not in found and reader.position(tp) < ends[tp]]:
                if time.monotonic() > deadline:
                    raise TransientError(f"{unread[0]} could not be read within {PATIENCE_SECONDS} s")
                for tp, records in reader.poll(0.5, max_records=len(tps)).items():
                    found.setdefault(tp.partition, records[0].timestamp_ms)
                    reader.pause([tp])
        finally:
            reader.close()
        return found

    def next_offsets(self, partitions: Sequence[int], topic_id: str) -> dict[int, int]:
        """Per partition, the end of the last range of this incarnation of the topic; without one, the topic's beginning.

        Looks at the last MOST messages at most, however many there are. Raises TransientError while ``inferences`` has fewer
        partitions than there are requests of, GapError when requests behind the last range have expired, unless they are
        given up.
        """
        known = self._partitions(self._inferences)
        if any(p >= known for p in partitions):
            raise TransientError(
                f"{self._requests} has more partitions than the {known} of {self._inferences}; make them as many with: "
                f"driftloop partitions add {self._inferences.rpartition('.')[0]} {max(partitions) + 1}"
            )
        written = {p: TopicPartition(self._inferences, p) for p in partitions}
        asked = {p: TopicPartition(self._requests, p) for p in partitions}
        reader = self._open_reader(list(written.values()))
        try:
            starts, ends = reader.beginning_offsets(list(written.values())), reader.end_offsets(list(written.values()))
            for tp, end in ends.items():
                reader.seek(tp, end)
            reader.pause(list(written.values()))
            beginnings, requested = reader.beginning_offsets(list(asked.values())), reader.end_offsets(list(asked.values()))
            found = {
                p: _last_range_end(reader, tp, starts[tp], ends[tp], partial(_said, topic_id=topic_id, requested=requested[asked[p]]))
                for p, tp in written.items()
            }
        finally:
            reader.close()
        return {p: self._place(asked[p], topic_id, end, beginnings[asked[p]]) for p, end in found.items()}

    def _place(self, tp: TopicPartition, topic_id: str, end: int | None, beginning: int) -> int:
        if end is None or end >= beginning:
            return beginning if end is None else end
        place = self._after_gaps(topic_id, tp.partition, end)
        if place < beginning:
            raise GapError(f"{tp.topic}-{tp.partition}: requests {end} to {beginning - 1} expired before they were scored; {WAY_ON}")
        log.warning("gap-passed", topic=tp.topic, partition=tp.partition, start=end, end=place)
        return place


def _last_range_end(reader: MessageConsumer, tp: TopicPartition, start: int, end: int, said: Callable[[Record], int | None]) -> int | None:
    """The highest end among the newest ranges: a twin that was paused may have written an older one last."""
    look, high, start = FIRST_LOOK, end, max(start, end - MOST)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while high > start:
        low = max(start, high - look)
        try:
            found = _range_ends(reader, tp, low, high, said, deadline)
        except TransientError:
            if look == FIRST_LOOK:
                raise  # the broker is too slow to say anything
            break
        if found:
            return max(found)
        look, high = look * 4, low
    if end > start:
        log.warning("no-range-found", topic=tp.topic, partition=tp.partition, end=end, looked_back_to=high)
    return None


def _range_ends(
    reader: MessageConsumer, tp: TopicPartition, low: int, high: int, said: Callable[[Record], int | None], deadline: float
) -> list[int]:
    reader.seek(tp, low)
    reader.resume([tp])
    ends: list[int] = []
    while reader.position(tp) < high:
        if time.monotonic() > deadline:
            raise TransientError(f"{tp.topic}/{tp.partition} could not be read up to offset {high} within {PATIENCE_SECONDS} s")
        for record in reader.poll(0.5, max_records=high - low).get(tp, ()):
            if record.offset >= high:
                continue
            found = said(record)
            if found is not None:
                ends.append(found)
    reader.pause([tp])
    return ends


def _said(record: Record, *, topic_id: str, requested: int) -> int | None:
    """Up to where the requests are accounted for, as one message says it. ``requested``: where they end; a range or a
    position that goes beyond is forged: those that are yet to come would seem known, and there is nothing to read from there."""
    try:
        accounted, position = claimed_range(record), request_position(record.headers)
        if accounted is not None and accounted.topic_id == topic_id:
            return accounted.end if accounted.end <= requested else None
    except InvalidMessage:
        return None  # not the predictor's: whoever reads the rows quarantines it
    if position is not None and (position.topic_id, position.partition) == (topic_id, record.partition):
        return position.offset if position.offset <= requested else None
    return None
