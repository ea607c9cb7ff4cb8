"""How far a stream has come, read from the ends of ``inferences``: for a process whose own partitions are all silent."""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc

from driftloop.errors import InvalidMessage
from driftloop.ports import MessageConsumer, Record, TopicPartition
from driftloop.rows.arrow_stream import decode_table, schema_in
from driftloop.rows.limits import check_times
from driftloop_predictor.idle import Seen

LAST = 4  # messages of a partition; the end of one that is at work has rows among them
PATIENCE_SECONDS = 5.0
_TIME = pa.timestamp("us", tz="UTC")


class StreamProgress:
    """Reads what has come since the last look only. For one thread."""

    def __init__(
        self,
        open_reader: Callable[[Sequence[TopicPartition]], MessageConsumer],
        topic: str,
        partitions: Callable[[], int],
        ahead: timedelta | None,
    ) -> None:
        """``ahead``: how far beyond its scoring a row's event time may lie to count; None: however far."""
        self._open_reader, self._topic, self._partitions, self._ahead = open_reader, topic, partitions, ahead
        self._reader: MessageConsumer | None = None
        self._read_to: dict[TopicPartition, int] = {}

    def newest(self) -> Seen | None:
        """The highest event time among the last rows of all partitions; None when there is nothing new. Raises TransientError."""
        tps = [TopicPartition(self._topic, p) for p in range(self._partitions())]
        if self._reader is None or self._reader.assignment() != frozenset(tps):
            self.close()
            self._reader = self._open_reader(tps)
        reader = self._reader
        ends, beginnings = reader.end_offsets(tps), reader.beginning_offsets(tps)
        for tp in tps:
            reader.seek(tp, max(beginnings[tp], ends[tp] - LAST, self._read_to.get(tp, 0)))
        seen: list[Seen] = []
        deadline = time.monotonic() + PATIENCE_SECONDS
        while any(reader.position(tp) < ends[tp] for tp in tps) and time.monotonic() < deadline:
            for records in reader.poll(0.2, max_records=LAST * len(tps)).values():
                seen += [found for record in records if (found := newest_in(record, self._ahead)) is not None]
        self._read_to = ends
        return max(seen, default=None)

    def close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()


def newest_in(record: Record, ahead: timedelta | None) -> Seen | None:
    """The highest event time of a message's rows that is not beyond their scoring and ``ahead``; None without such rows."""
    try:
        rows = decode_table(record.value, schema_in(record.value))
        for name in ("event_time", "scored_at"):
            if rows.schema.names.count(name) != 1 or rows.schema.field(name).type != _TIME or rows.column(name).null_count:
                return None
            check_times(rows.column(name), name)
    except InvalidMessage:
        return None  # whoever reads the rows quarantines it
    return newest_row(rows.column("event_time"), rows.column("scored_at"), ahead)


def newest_row(event_times: pa.ChunkedArray, scored_at: pa.ChunkedArray, ahead: timedelta | None) -> Seen | None:
    """The highest event time that is not beyond its scoring and ``ahead`` (None: however far); None without one."""
    if ahead is not None:
        known = pc.less_equal(event_times, pc.add(scored_at, pa.scalar(ahead)))
        event_times, scored_at = event_times.filter(known), scored_at.filter(known)
    if not len(event_times):
        return None
    newest = pc.max(event_times)
    return Seen(newest.as_py(), pc.max(scored_at.filter(pc.equal(event_times, newest))).as_py())
