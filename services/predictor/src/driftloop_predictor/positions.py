"""Where to go on in ``requests``: behind the last range that ``inferences`` accounts for."""

import time
from collections.abc import Callable, Sequence

from driftloop.errors import GapError, InvalidMessage, TransientError
from driftloop.ports import MessageConsumer, TopicPartition
from driftloop.rows.inferences import claimed_range
from driftloop.service.accepted_gaps import WAY_ON
from driftloop.telemetry import get_logger

PATIENCE_SECONDS = 30
FIRST_LOOK = 8  # messages; each further look back is four times as long

log = get_logger(__name__)

OpenReader = Callable[[Sequence[TopicPartition]], MessageConsumer]
AfterGaps = Callable[[str, int, int], int]  # as ``AcceptedGaps.after``


class Positions:
    """Reads ranges back from ``inferences``. Kafka's committed offsets are not asked: they may be ahead of what is there."""

    def __init__(
        self, open_reader: OpenReader, topic_id: Callable[[str], str], *, requests: str, inferences: str, after_gaps: AfterGaps
    ) -> None:
        self._open_reader, self._topic_id, self._requests, self._inferences = open_reader, topic_id, requests, inferences
        self._after_gaps = after_gaps
        self._asking: MessageConsumer | None = None

    def topic_id(self) -> str:
        """Of ``requests`` as it is now: offsets start again when a topic is made anew."""
        return self._topic_id(self._requests)

    def end_offset(self, tp: TopicPartition) -> int:
        if self._asking is None:
            self._asking = self._open_reader([tp])
        return self._asking.end_offsets([tp])[tp]

    def next_offsets(self, partitions: Sequence[int], topic_id: str) -> dict[int, int]:
        """Per partition, the end of the last range of this incarnation of the topic; without one, the topic's beginning.

        Raises GapError when requests behind the last range have expired, unless they are given up.
        """
        written = {p: TopicPartition(self._inferences, p) for p in partitions}
        asked = {p: TopicPartition(self._requests, p) for p in partitions}
        reader = self._open_reader(list(written.values()))
        try:
            starts, ends = reader.beginning_offsets(list(written.values())), reader.end_offsets(list(written.values()))
            for tp, end in ends.items():
                reader.seek(tp, end)
            reader.pause(list(written.values()))
            found = {p: _last_range_end(reader, tp, starts[tp], ends[tp], topic_id) for p, tp in written.items()}
            beginnings = reader.beginning_offsets(list(asked.values()))
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


def _last_range_end(reader: MessageConsumer, tp: TopicPartition, start: int, end: int, topic_id: str) -> int | None:
    """The highest end among the newest ranges: a twin that was paused may have written an older one last."""
    look, high = FIRST_LOOK, end
    while high > start:
        low = max(start, high - look)
        found = _range_ends(reader, tp, low, high, topic_id)
        if found:
            return max(found)
        look, high = look * 4, low
    return None


def _range_ends(reader: MessageConsumer, tp: TopicPartition, low: int, high: int, topic_id: str) -> list[int]:
    reader.seek(tp, low)
    reader.resume([tp])
    ends: list[int] = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while reader.position(tp) < high:
        if time.monotonic() > deadline:
            raise TransientError(f"{tp.topic}/{tp.partition} could not be read up to offset {high} within {PATIENCE_SECONDS} s")
        for record in reader.poll(0.5, max_records=high - low).get(tp, ()):
            if record.offset >= high:
                continue
            try:
                found = claimed_range(record)
            except InvalidMessage:
                found = None  # not the predictor's: whoever reads the rows quarantines it
            if found is not None and found.topic_id == topic_id:
                ends.append(found.end)
    reader.pause([tp])
    return ends
