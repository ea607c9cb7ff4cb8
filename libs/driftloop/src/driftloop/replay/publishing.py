"""Publishing the stream: requests at their event time, each label when it became known, watermarks at window ends."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts import topics
from driftloop.contracts.headers import CONTENT_TYPE, JSON, Headers, watermark_header
from driftloop.ports import MessageProducer
from driftloop.replay.stream import Stream

CHUNK = 2_000  # messages between two flushes: bounds what is in flight, and how often progress is shown
SLICE_SECONDS = 0.1  # of wall time, when the replay keeps a pace
_JSON_ROW: Headers = ((CONTENT_TYPE, JSON.encode()),)


class ReplayMessage(NamedTuple):
    """A row as it is sent, and the moment of the stream's clock at which it is sent."""

    at: datetime
    topic: str
    key: bytes
    value: bytes


class ReplayProgress(NamedTuple):
    """How far the replay is: the stream's clock, and the rows that the broker has acknowledged so far."""

    at: datetime
    requests: int
    labels: int


def messages(rows: Stream, stream: str, start: datetime | None, end: datetime | None) -> list[ReplayMessage]:
    """What happens in ``[start, end)`` of the stream's clock: requests by event time, labels by label time, in time order.

    A request comes before a label of the same instant.
    """
    requests = _between(rows.requests, "event_time", start, end)
    labels = _between(rows.labels, "label_time", start, end)
    sent = [
        *_messages(requests, topics.requests(stream), clock="event_time", key="entity"),
        *_messages(labels, topics.labels(stream), clock="label_time", key="event_id"),
    ]
    clock = pa.concat_tables([requests.select(["event_time"]), labels.select(["label_time"]).rename_columns(["event_time"])])
    order = np.argsort(clock.column("event_time").to_numpy(), kind="stable")
    return [sent[i] for i in order]


def _between(rows: pa.Table, clock: str, start: datetime | None, end: datetime | None) -> pa.Table:
    column = rows.column(clock).to_numpy()
    low = 0 if start is None else int(np.searchsorted(column, _utc(start)))
    high = len(rows) if end is None else int(np.searchsorted(column, _utc(end)))
    return rows.slice(low, high - low)


def _utc(time: datetime) -> np.datetime64:
    return np.datetime64(time.astimezone(UTC).replace(tzinfo=None), "us")


def _messages(rows: pa.Table, topic: str, *, clock: str, key: str) -> Iterator[ReplayMessage]:
    encode = msgspec.json.Encoder().encode  # null stays null; the tables hold no NaN
    for row in rows.to_pylist():
        yield ReplayMessage(row[clock], topic, row[key].encode(), encode(row))


class Replay:
    """Publishes stretches of the stream, one after the other, and counts what the broker has acknowledged."""

    def __init__(self, producer: MessageProducer, rows: Stream, stream: str, partitions: int) -> None:
        self._producer, self._rows, self._stream, self._partitions = producer, rows, stream, partitions
        self.requests = 0
        self.labels = 0

    def publish(
        self,
        start: datetime | None,
        end: datetime | None,
        on_progress: Callable[[ReplayProgress], None],
        *,
        speed: float | None = None,
    ) -> None:
        """Send what happens in ``[start, end)``; return once the broker holds it. ``speed``: that many times real time,
        None as fast as the broker takes it. Raises TransientError if anything was not delivered."""
        due = messages(self._rows, self._stream, start, end)
        for chunk in _chunks(due) if speed is None else _paced(due, speed):
            for message in chunk:
                self._producer.send(message.topic, message.value, key=message.key, headers=_JSON_ROW)
            self._producer.flush()
            n_requests = sum(message.topic == topics.requests(self._stream) for message in chunk)
            self.requests += n_requests
            self.labels += len(chunk) - n_requests
            on_progress(ReplayProgress(chunk[-1].at, self.requests, self.labels))

    def promise(self, time: datetime) -> None:
        """A watermark to every partition of requests and labels: nothing earlier will come."""
        for topic in (topics.requests(self._stream), topics.labels(self._stream)):
            for partition in range(self._partitions):
                self._producer.send(topic, None, partition=partition, headers=(watermark_header(time),))
        self._producer.flush()

    def last_label_time(self) -> datetime | None:
        """When the last label becomes known."""
        latest: datetime | None = pc.max(self._rows.labels.column("label_time")).as_py()
        return latest


def _chunks(due: list[ReplayMessage]) -> Iterator[list[ReplayMessage]]:
    for at in range(0, len(due), CHUNK):
        yield due[at : at + CHUNK]


def _paced(due: list[ReplayMessage], speed: float) -> Iterator[list[ReplayMessage]]:
    """Chunks as their time comes: the stream's clock runs ``speed`` times as fast as the wall's."""
    began, at = time.monotonic(), 0
    moments = np.array([(message.at - due[0].at).total_seconds() / speed for message in due])
    while at < len(due):
        elapsed = time.monotonic() - began
        come = min(int(np.searchsorted(moments, elapsed, side="right")), at + CHUNK)
        if come == at:
            time.sleep(min(SLICE_SECONDS, max(0.0, moments[at] - elapsed)))
            continue
        yield due[at:come]
        at = come
