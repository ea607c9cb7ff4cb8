"""What a producer sends, and what became of it."""

from collections.abc import Iterator
from concurrent.futures import Future
from typing import NamedTuple

import pyarrow as pa

from driftloop.contracts.headers import ARROW, CONTENT_TYPE, JSON, Headers
from driftloop.contracts.topics import MIB
from driftloop.errors import InvalidMessage
from driftloop.rows.arrow_stream import MAX_ROWS, encode_table

JSON_ROW: Headers = ((CONTENT_TYPE, JSON.encode()),)
ARROW_ROWS: Headers = ((CONTENT_TYPE, ARROW.encode()),)

MOST_BYTES = 4 * MIB - 64 * 1024  # of a message: the topic's limit, with room for what Kafka adds
USUAL_BYTES = 1 * MIB  # of a batch


class Message(NamedTuple):
    """``event_ids``: of its rows or its label; none for a watermark."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    event_ids: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of value and key."""
        return len(self.value or b"") + len(self.key or b"")


class Sent(NamedTuple):
    """A row or label that was taken. ``delivery`` ends when the broker holds it, or with the error that says why it does not."""

    event_id: str
    delivery: "Future[None]"


class SentRows(NamedTuple):
    """Rows that were taken. ``event_ids``: in the order of the rows; ``deliveries``: of the messages that they went in."""

    event_ids: tuple[str, ...]
    deliveries: "tuple[Future[None], ...]"


class Delivered(NamedTuple):
    """Rows and labels since the producer was made: ``sent`` = ``delivered`` + ``failed`` + ``waiting``.

    ``waiting``: the broker has not answered for them yet; ``reason``: of the first that failed.
    """

    sent: int
    delivered: int
    failed: int
    waiting: int
    reason: str | None = None


class Failed(NamedTuple):
    """A message that was not delivered: sent again under its event ids it is the same rows. It may have arrived all the same, when
    only the broker's answer was lost."""

    topic: str
    event_ids: tuple[str, ...]
    reason: str
    value: bytes | None


def refuse_too_large(message: Message) -> Message:
    """Raises InvalidMessage for one that the topic does not take."""
    if message.size > MOST_BYTES:
        raise InvalidMessage(f"the message is {message.size} bytes long; {message.topic} takes at most {MOST_BYTES}")
    return message


def batches(topic: str, partition: int, rows: pa.Table) -> Iterator[Message]:
    """The rows in Arrow messages of about USUAL_BYTES. Raises InvalidMessage for a single row that is too large for one."""
    at, step = 0, _rows_a_message(rows)
    while at < rows.num_rows:
        part = rows.slice(at, step).combine_chunks()
        message = Message(topic, partition, None, encode_table(part), ARROW_ROWS, tuple(part.column("event_id").to_pylist()))
        if message.size > MOST_BYTES and part.num_rows > 1:
            step = part.num_rows // 2
            continue
        yield refuse_too_large(message)
        at += part.num_rows


def _rows_a_message(rows: pa.Table) -> int:
    if not rows.num_rows:
        return 1
    return max(1, min(MAX_ROWS, int(USUAL_BYTES * rows.num_rows // max(1, rows.nbytes))))
