"""Rejected messages: where they came from, why, and their original bytes."""

import re
from contextlib import closing, suppress
from datetime import UTC, datetime
from typing import Any

from driftloop.adapters.kafka import stream_topic
from driftloop.client.arguments import Say, checked_name
from driftloop.client.connections import Connections
from driftloop.client.models import only_stream
from driftloop.client.redriving import redrives
from driftloop.contracts.topics import quarantine
from driftloop.contracts.values import Part, Time
from driftloop.errors import GapError, UserError
from driftloop.history.redrives import Redrives, SentAgain
from driftloop.ports import Record
from driftloop.redrive.original import id_of
from driftloop.service.quarantine import fetched, read_quarantined

_ID = re.compile(r"([0-9]{1,9}):([0-9]{1,18})")


def _silent(*_: object) -> None:
    """Nobody wants to hear of it."""


class RejectedMessage(Part, frozen=True, kw_only=True):
    """``id``: its partition and offset in the quarantine topic, such as 2:41; the rest says where it came from, why and when it was
    rejected, and each time that it was sent again."""

    id: str
    topic: str
    partition: int
    offset: int
    bytes: int
    reason: str
    rejected_at: Time
    redriven: tuple[SentAgain, ...] = ()


class Header(Part, frozen=True, kw_only=True):
    name: str
    value: bytes


class RejectedBytes(RejectedMessage, frozen=True, kw_only=True):
    """With the original value, key and headers; null where there was none."""

    value: bytes | None
    key: bytes | None
    headers: tuple[Header, ...]


def rejected_messages(to: Connections, stream: str | None, say: Say = _silent) -> list[RejectedMessage]:
    """Of ``stream``, or of the only one registered, in the order of their origins. Raises UserError, TransientError."""
    topic = _topic(to, stream)
    known = redrives(to, topic.removesuffix(".quarantine"), say)
    found = [RejectedMessage(**_about(record, known)) for record in stream_topic(to.kafka, topic)]
    return sorted(found, key=lambda message: (message.topic, message.partition, message.offset, message.id))


def rejected_message(to: Connections, message_id: str, stream: str | None, say: Say = _silent) -> RejectedBytes:
    """Raises UserError when there is none of this id; IntegrityError when its bytes are not those that were rejected; TransientError."""
    found = _ID.fullmatch(message_id)
    if found is None:
        raise UserError(f"{message_id!r} is no id of a rejected message: partition:offset, as `driftloop quarantine list` shows it")
    topic, place = _topic(to, stream), (int(found[1]), int(found[2]))
    record: Record | None = None
    with closing(stream_topic(to.kafka, topic, start={place[0]: place[1]})) as records, suppress(GapError):  # not there yet, or no more
        record = next((r for r in records if (r.partition, r.offset) == place), None)
    if record is None:
        raise UserError(f"{topic} holds no message {message_id}; see `driftloop quarantine list`")
    original = fetched(read_quarantined(record), to.store).record
    headers = tuple(Header(name=str(name), value=value) for name, value in original.headers)
    known = redrives(to, topic.removesuffix(".quarantine"), say)
    return RejectedBytes(**_about(record, known), value=original.value, key=original.key, headers=headers)


def _about(record: Record, known: Redrives) -> dict[str, Any]:
    found = read_quarantined(record)
    return {
        "id": f"{record.partition}:{record.offset}",
        "topic": found.topic,
        "partition": found.partition,
        "offset": found.offset,
        "bytes": len(record.value or b"") if found.stored is None else found.stored.size,
        "reason": found.reason,
        "rejected_at": datetime.fromtimestamp(record.timestamp_ms / 1000, UTC),  # of the broker: the topic has its time
        "redriven": known.sent(id_of(found)),
    }


def _topic(to: Connections, stream: str | None) -> str:
    return quarantine(checked_name(stream, "stream name") if stream is not None else only_stream(to.registry))
