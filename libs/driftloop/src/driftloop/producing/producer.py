"""``driftloop.Producer``: what an application sends to its stream."""

import atexit
import os
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from driftloop.contracts import topics
from driftloop.contracts.headers import watermark_header
from driftloop.contracts.values import EARLIEST, LATEST
from driftloop.errors import ConfigurationError, InvalidMessage, TransientError, UserError
from driftloop.producing.checking import Checks
from driftloop.producing.destination import destination
from driftloop.producing.in_flight import InFlight, Underway
from driftloop.producing.messages import MOST_BYTES, Delivered, Failed, Message, Sent, SentRows
from driftloop.telemetry import get_logger

if TYPE_CHECKING:
    import pyarrow as pa

    from driftloop.adapters.kafka_security import Cluster
    from driftloop.contracts.schema import StreamSchema
    from driftloop.ports import ReportingProducer

MIB = 1024 * 1024
log = get_logger(__name__)
GRACE_SECONDS = 10.0  # a message is given up at its delivery timeout, as soon as the client's thread looks


class Producer:
    """Sends rows, labels and watermarks of one stream; what is wrong is refused before anything leaves. Safe between threads.

    ``Producer("taxi")`` asks the registry of the stack of this folder, or of the one that ``DRIFTLOOP_CLI_…`` names, for the stream's
    schema; ``Producer(project="taxi/")`` reads it in the project's folder; ``schema`` gives it. ``kafka`` names another broker.

    ``send`` hands over and returns; ``flush`` waits and says what became of all, and ``on_failure`` is told of each message that was
    not delivered (in the thread that serves the broker: be short there). At most ``max_in_flight`` messages and
    ``max_in_flight_bytes`` wait for the broker: ``send`` blocks for ``block_seconds`` while there is no room. A message that the broker
    does not take in ``delivery_seconds`` has failed.

    ``unknown_fields``: fields that the schema does not name are sent, which services pass over, instead of refused. ``through``:
    sends with something else than Kafka, such as ``adapters.memory_reports`` in an application's own tests.

    Methods raise UserError for what can be put right, in a sentence with the field, and TransientError when the broker does not
    answer or takes no more. Leaving a ``with`` block flushes, and raises TransientError for what failed, unless ``on_failure`` was told.
    """

    def __init__(
        self,
        stream: str | None = None,
        *,
        project: Path | str | None = None,
        schema: "StreamSchema | None" = None,
        kafka: "str | Cluster | None" = None,
        on_failure: Callable[[Failed], None] | None = None,
        max_in_flight: int = 10_000,
        max_in_flight_bytes: int = 64 * MIB,
        block_seconds: float = 60.0,
        delivery_seconds: float = 60.0,
        unknown_fields: bool = False,
        through: "ReportingProducer | None" = None,
    ) -> None:
        if not (max_in_flight >= 1 and max_in_flight_bytes >= 1):
            raise UserError("max_in_flight and max_in_flight_bytes are 1 at least: with less no message ever leaves")
        to = destination(stream, project, schema, kafka, broker=through is None)
        self.stream = to.schema.stream
        self._topics = {"requests": topics.requests(self.stream), "labels": topics.labels(self.stream)}
        self._pid = os.getpid()
        self._block_seconds, self._flush_seconds = block_seconds, delivery_seconds + GRACE_SECONDS
        self._told = on_failure is not None
        self._in_flight = InFlight(max_in_flight, max_in_flight_bytes, on_failure)
        self._closed = False
        with _sentences():
            self._producer = through or _connected(to.kafka, self.stream, delivery_seconds)
            try:
                for topic in self._topics.values():
                    self._producer.partitions(topic)
            except BaseException:
                self._producer.close()
                raise
        # Left without close: what waits is waited for all the same, before Kafka's client ends with the process.
        self._left = weakref.finalize(self, _let_go, self._in_flight, self._producer, self._flush_seconds, self._pid)
        atexit.register(self._left)
        self._checks = Checks(to.schema, self._producer.partition_of, unknown=unknown_fields)

    def send(
        self, row: Mapping[str, Any], *, event_id: str | None = None, event_time: datetime | None = None, entity: str | None = None
    ) -> Sent:
        """One row, as JSON; key and partition are those of its entity. ``event_id``, ``event_time`` and ``entity`` may stand in the row
        instead. Without an id the row gets one, without a time it happened now, without an entity it is one by itself."""
        self._ready()
        with _sentences():
            message = self._checks.row(row, event_id=event_id, event_time=event_time, entity=entity)
        [entered] = self._hand_over([message])
        return Sent(message.event_ids[0], entered.delivery)

    def send_many(self, rows: "pa.Table | pa.RecordBatch | Iterable[Mapping[str, Any]]") -> SentRows:
        """Rows as Arrow batches, those of an entity in its partition; none is sent when one of them is refused. In a table, columns
        ``event_id``, ``event_time`` and ``entity`` may be missing, or null, as in ``send``."""
        self._ready()
        with _sentences():
            event_ids, messages = self._checks.rows(rows)
        return SentRows(event_ids, tuple(entered.delivery for entered in self._hand_over(messages)))

    def label(self, event_id: str, value: Any, *, event_time: datetime, label_time: datetime | None = None) -> Sent:
        """The truth of an event. ``event_time``: the event's own; ``label_time``: when the truth became known, by default when the
        broker takes it. A later label of the same event corrects it."""
        self._ready()
        with _sentences():
            message = self._checks.label(event_id, value, event_time, label_time)
        [entered] = self._hand_over([message])
        return Sent(event_id, entered.delivery)

    def watermark(self, time: datetime, *, of: Literal["requests", "labels"] | None = None) -> None:
        """Promise that no row of an earlier event time and no label of an earlier label time will come, from anybody: one message to every
        partition, once the broker has answered for all that was sent before. Returns when the broker holds them.

        Raises TransientError when it does not; the promise may be repeated.
        """
        self._ready()
        if of not in (None, *self._topics):
            raise UserError(f"a watermark is of 'requests' or of 'labels', or without of of both, not of {of!r}; nothing was sent")
        mark = watermark_header(_calendar_time(time))
        if not self._in_flight.wait(self._flush_seconds):
            raise TransientError(f"{self._in_flight.report().waiting} rows and labels wait for the broker still: no watermark was sent")
        with _sentences():
            names = [self._topics[of]] if of else list(self._topics.values())
            marks = [Message(name, p, None, None, (mark,)) for name in names for p in range(self._producer.partitions(name))]
        deliveries = [entered.delivery for entered in self._hand_over(marks)]
        done, missing = wait(deliveries, self._flush_seconds)
        failure = next((found for delivery in done if (found := delivery.exception()) is not None), None)
        if failure is not None or missing:
            raise TransientError(f"the watermark did not reach every partition: {failure or 'the broker does not answer'}")

    def flush(self, timeout_seconds: float | None = None) -> Delivered:
        """Wait until the broker has answered for all that was sent before, by default until the last of it has been delivered or given
        up, and say what became of everything since the producer was made."""
        self._same_process()
        self._in_flight.wait(self._flush_seconds if timeout_seconds is None else timeout_seconds)
        return self._in_flight.report()

    def close(self, timeout_seconds: float | None = None) -> Delivered:
        """Flush, and let go of the connection; what the broker has not answered for then counts as failed. A second time: the same."""
        self._same_process()
        if self._left.detach() is not None:
            atexit.unregister(self._left)
            self._closed = True
            _end(self._in_flight, self._producer, self._flush_seconds if timeout_seconds is None else timeout_seconds)
        return self._in_flight.report()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        report = self.close()
        if report.failed and not self._told and error is None:
            raise TransientError(f"{report.failed} of {report.sent} rows and labels were not delivered: {report.reason}")

    def _hand_over(self, messages: Sequence[Message]) -> list[Underway]:
        entered = self._in_flight.enter(messages, self._block_seconds)
        for number, message, _ in entered:
            done = partial(self._in_flight.leave, number)
            try:
                self._producer.send(
                    message.topic, message.value, key=message.key, partition=message.partition, headers=message.headers, done=done
                )
            except Exception as exc:  # noqa: BLE001 - it was taken: what became of it is told like any other's
                done(exc)
        return entered

    def _ready(self) -> None:
        self._same_process()
        if self._closed:
            raise UserError("this producer is closed: nothing was sent; make another")

    def _same_process(self) -> None:
        if os.getpid() != self._pid:
            raise UserError(
                f"this producer was made in process {self._pid}, and a fork takes no connection along: nothing was sent; make one in "
                f"process {os.getpid()}"
            )


def _end(in_flight: InFlight, producer: "ReportingProducer", timeout_seconds: float) -> None:
    began = time.monotonic()
    in_flight.close()
    in_flight.wait(timeout_seconds)
    try:
        producer.close()
    except TransientError as exc:
        log.warning("producer-not-closed", reason=str(exc))
    finally:
        in_flight.give_up(f"the producer was closed after {time.monotonic() - began:.0f} s without the broker's answer")


def _let_go(in_flight: InFlight, producer: "ReportingProducer", timeout_seconds: float, pid: int) -> None:
    if os.getpid() != pid:
        return  # a fork's: its parent has the connection
    _end(in_flight, producer, timeout_seconds)
    report = in_flight.report()
    if report.failed:
        log.error("producer-left-open", failed=report.failed, sent=report.sent, reason=report.reason)


@contextmanager
def _sentences() -> Iterator[None]:
    try:
        yield
    except InvalidMessage as exc:
        raise UserError(f"{exc}; nothing was sent") from exc
    except ConfigurationError as exc:
        raise UserError(str(exc)) from exc


def _calendar_time(time: datetime) -> datetime:
    if not isinstance(time, datetime):
        raise UserError(f"a watermark is a moment, a datetime with its offset from UTC, not a {type(time).__name__}; nothing was sent")
    if time.tzinfo is None:
        raise UserError(f"a watermark is a moment, and {time} has no offset from UTC: give it a tzinfo; nothing was sent")
    if not EARLIEST <= time <= LATEST:
        raise UserError("a watermark is between the years 1 and 9999; nothing was sent")
    return time


def _connected(kafka: "Cluster | None", stream: str, delivery_seconds: float) -> "ReportingProducer":
    from driftloop.adapters.kafka_reports import KafkaReportingProducer

    if kafka is None:
        raise UserError("no broker is known")
    return KafkaReportingProducer(
        kafka, client_id=f"application-{stream}", max_message_bytes=MOST_BYTES, delivery_timeout_seconds=delivery_seconds
    )
