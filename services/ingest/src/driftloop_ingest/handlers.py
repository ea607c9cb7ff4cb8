"""What ingest does with its partitions: buffer, flush to the lake, tell what is durable."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from driftloop.errors import GapError
from driftloop.ports import Record, TopicPartition
from driftloop_ingest.table_writer import TableWriter


class IngestHandler:
    """Keeps ``partition_worker.PartitionHandler`` over one writer per topic."""

    def __init__(
        self,
        writers: Sequence[TableWriter],
        *,
        beginning_offsets: Callable[[Sequence[TopicPartition]], Mapping[TopicPartition, int]],
        topic_id: Callable[[str], str],
        next_poll: Callable[[], None] = lambda: None,
    ) -> None:
        """``next_poll`` is called when all that was polled is taken up, before more is."""
        self._writers = {writer.topic: writer for writer in writers}
        self._beginning_offsets, self._topic_id, self._next_poll = beginning_offsets, topic_id, next_poll

    def starting_offsets(self, tps: frozenset[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The table says where to go on; a partition that it does not know starts at its beginning."""
        beginnings = self._beginning_offsets(sorted(tps))
        found: dict[TopicPartition, int] = {}
        for topic, writer in self._writers.items():
            mine = {tp.partition: beginnings[tp] for tp in tps if tp.topic == topic}
            if mine:
                starts = writer.assign(mine, self._topic_id(topic))
                found |= {TopicPartition(topic, p): offset for p, offset in starts.items()}
        return found

    def on_records(self, tp: TopicPartition, records: Sequence[Record]) -> None:
        try:
            self._writers[tp.topic].take(tp.partition, records)
        except GapError:
            self.drain()  # what came before the gap is good, and the other partitions are
            raise

    def reject(self, tp: TopicPartition, record: Record, reason: str) -> None:
        self._writers[tp.topic].reject(tp.partition, record, reason)

    def on_position(self, tp: TopicPartition, position: int) -> None:
        self._writers[tp.topic].read_up_to(tp.partition, position)

    def on_tick(self) -> None:
        self._next_poll()
        for writer in self._writers.values():
            writer.flush_if_due()

    def on_revoked(self, tps: frozenset[TopicPartition]) -> None:
        for topic, writer in self._writers.items():
            mine = frozenset(tp.partition for tp in tps if tp.topic == topic)
            if mine:
                writer.leave(mine)

    def durable_offsets(self) -> Mapping[TopicPartition, int]:
        return {tp: offset for writer in self._writers.values() for tp, offset in writer.durable_offsets().items()}

    def owns(self, tp: TopicPartition) -> bool:
        """Whether this member fills the lake from the partition now. May be asked from another thread."""
        return self._writers[tp.topic].owns(tp.partition)

    def full(self) -> bool:
        return any(writer.pending for writer in self._writers.values())

    def drain(self) -> None:
        for writer in self._writers.values():
            writer.flush()

    def status(self) -> dict[str, Any]:
        """For ``/status``: the next offset of each partition and the version of each table, as far as they are durable."""
        durable = sorted(self.durable_offsets().items())
        return {
            "partitions": {f"{tp.topic}-{tp.partition}": offset for tp, offset in durable},
            "tables": {writer.name: writer.version for writer in self._writers.values()},
        }
