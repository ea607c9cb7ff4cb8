"""A control topic, folded from its beginning: what is known is always asked of the log, never remembered elsewhere."""

import time
from collections.abc import Callable

from driftloop.contracts.codec import Envelope, decode_event
from driftloop.contracts.events import Event
from driftloop.errors import InvalidMessage, TransientError
from driftloop.ports import MessageConsumer, TopicPartition
from driftloop.telemetry import get_logger

log = get_logger(__name__)


class LogReader:
    """Hands every event of a topic to ``take``, once and in order per partition. Used by one thread at a time."""

    def __init__(self, connect: Callable[[], MessageConsumer], take: Callable[[Event, Envelope], None]) -> None:
        self._connect, self._take = connect, take
        self._consumer: MessageConsumer | None = None
        self._next: dict[TopicPartition, int] = {}

    def catch_up(self, timeout_seconds: float = 30.0) -> None:
        """Return once everything that the topic holds at the time of the call has been taken. Raises TransientError."""
        try:
            self._read_to_end(time.monotonic() + timeout_seconds)
        except TransientError:
            self.close()
            raise

    def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            try:
                consumer.close()
            except TransientError as exc:
                log.warning("reader-not-closed", reason=str(exc))

    def _read_to_end(self, deadline: float) -> None:
        consumer = self._connected()
        ends = consumer.end_offsets(list(self._next))
        while any(self._next[tp] < end for tp, end in ends.items()):
            if time.monotonic() > deadline:
                raise TransientError("a control topic could not be read to its end in time")
            for tp, records in consumer.poll(0.2).items():
                for record in records:
                    try:
                        self._take(*decode_event(record.value, record.headers))
                    except InvalidMessage as exc:
                        log.warning("event-passed-over", reason=str(exc), topic=tp.topic, partition=tp.partition, offset=record.offset)
                    self._next[tp] = record.offset + 1
            for tp in ends:  # a log may end in offsets without a record: of control markers, say
                self._next[tp] = max(self._next[tp], consumer.position(tp))

    def _connected(self) -> MessageConsumer:
        if self._consumer is None:
            self._consumer = self._connect()
            beginnings = self._consumer.beginning_offsets(list(self._consumer.assignment()))
            for tp, beginning in beginnings.items():
                self._next[tp] = max(self._next.get(tp, 0), beginning)
                self._consumer.seek(tp, self._next[tp])
        return self._consumer
