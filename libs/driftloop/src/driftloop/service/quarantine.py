"""Rejected messages keep their bytes, key and headers, and gain a reason and an origin.

One that does not fit into a message of the topic is stored in the bucket, whole and under its digest, and the message names it.
"""

from typing import NamedTuple

import msgspec

from driftloop.contracts.foreign_json import decoded
from driftloop.contracts.headers import UNREADABLE_BATCH, Headers, header
from driftloop.contracts.names import Digest
from driftloop.contracts.storage_rights import QUARANTINE
from driftloop.contracts.topics import MIB
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Count, Part
from driftloop.errors import IntegrityError, InvalidMessage
from driftloop.ports import MessageProducer, ObjectStore, Record
from driftloop.stored import read_verified, sha256_of

PREFIX = "driftloop-quarantine-"
REASON = PREFIX + "reason"
ORIGIN_TOPIC = PREFIX + "topic"
ORIGIN_PARTITION = PREFIX + "partition"
ORIGIN_OFFSET = PREFIX + "offset"
NULL_VALUE = PREFIX + "null-value"
STORED = PREFIX + "stored"
MAX_REASON_CHARACTERS = 1000
MAX_INLINE_BYTES = 8 * MIB - 256 * 1024  # value, key and headers; the topic takes 8 MiB with all that is around them


class StoredMessage(Part, frozen=True, kw_only=True):
    """Where in the bucket a rejected message lies: ``size`` bytes with the digest ``sha256``, a ``_Whole`` in MessagePack."""

    key: str
    sha256: Digest
    size: Count


class QuarantineMessage(NamedTuple):
    """A message for the quarantine topic."""

    value: bytes | None
    key: bytes | None
    headers: Headers


class Quarantined(NamedTuple):
    """A quarantined message as read back: the original, and why and where from.

    With ``stored`` the original is in the bucket: ``fetched`` gets it, and ``record`` has neither value nor key nor headers.
    """

    record: Record
    reason: str
    topic: str
    partition: int
    offset: int
    stored: StoredMessage | None = None


class _Whole(msgspec.Struct, frozen=True, array_like=True):
    value: bytes | None
    key: bytes | None
    headers: list[tuple[bytes, bytes]]


def quarantine_headers(record: Record, reason: str) -> Headers:
    """The original headers, untouched and first, then ours."""
    return (*record.headers, *_ours(record, reason))


def quarantine_message(topic: str, record: Record, reason: str, store: ObjectStore) -> QuarantineMessage:
    """What to send; what is too large for a message is stored. Raises TransientError when the store cannot be reached."""
    if size_of(record) > MAX_INLINE_BYTES:
        stored = _store(store, topic, record)
        return QuarantineMessage(b"", None, (*_ours(record, reason), (STORED, msgspec.json.encode(stored))))
    headers, value = quarantine_headers(record, reason), record.value
    if value is None and record.key is None:  # the client cannot send a message with neither
        headers, value = (*headers, (NULL_VALUE, b"1")), b""
    return QuarantineMessage(value, record.key, headers)


def send_to_quarantine(producer: MessageProducer, topic: str, record: Record, reason: str, store: ObjectStore) -> None:
    """Hand over for sending; the caller flushes before the offset may count as done. Raises TransientError."""
    value, key, headers = quarantine_message(topic, record, reason, store)
    producer.send(topic, value, key=key, headers=headers)


def read_quarantined(record: Record) -> Quarantined:
    """Take a quarantine message apart again. Strangers may write to the topic too: what is not ours reads as empty."""
    theirs, ours = _divided(record.headers)

    def text(name: str) -> str:
        return (header(ours, name) or b"").decode("utf-8", "replace")

    original = record._replace(headers=theirs)
    if header(ours, NULL_VALUE) is not None:
        original = original._replace(value=None)
    return Quarantined(
        record=original,
        reason=text(REASON),
        topic=text(ORIGIN_TOPIC),
        partition=_number(text(ORIGIN_PARTITION)),
        offset=_number(text(ORIGIN_OFFSET)),
        stored=_stored(ours),
    )


def fetched(quarantined: Quarantined, store: ObjectStore) -> Quarantined:
    """The same with its original, from the bucket if it lies there.

    Raises ObjectNotFound, TransientError; IntegrityError when the bytes are not those that were rejected.
    """
    stored = quarantined.stored
    if stored is None:
        return quarantined
    data = read_verified(store, stored.key, stored.sha256)
    try:
        whole = msgspec.msgpack.decode(data, type=prepared(_Whole))
    except msgspec.MsgspecError as exc:
        raise IntegrityError(f"{stored.key} does not hold a rejected message: {exc}") from exc
    headers = tuple((name.decode("utf-8", "surrogateescape"), value) for name, value in whole.headers)
    return quarantined._replace(record=quarantined.record._replace(value=whole.value, key=whole.key, headers=headers))


def size_of(record: Record) -> int:
    """Bytes of a rejected message: value, key and headers."""
    headers = sum(len(_name(name)) + len(value) + 10 for name, value in record.headers)
    return len(record.value or b"") + len(record.key or b"") + headers


def _ours(record: Record, reason: str) -> Headers:
    unreadable = header(record.headers, UNREADABLE_BATCH)
    if unreadable is not None:  # whatever a decoder made of the batch's bytes
        reason = "a batch that cannot be read, as the broker has it: " + unreadable.decode("utf-8", "replace")
    ours = {
        REASON: reason[:MAX_REASON_CHARACTERS],
        ORIGIN_TOPIC: record.topic,
        ORIGIN_PARTITION: str(record.partition),
        ORIGIN_OFFSET: str(record.offset),
    }
    return tuple((k, v.encode("utf-8", "replace")) for k, v in ours.items())


def _store(store: ObjectStore, topic: str, record: Record) -> StoredMessage:
    whole = _Whole(record.value, record.key, [(_name(name), value) for name, value in record.headers])
    data = msgspec.msgpack.encode(whole)
    digest = sha256_of(data)
    stored = StoredMessage(key=f"{QUARANTINE}/{topic.rpartition('.')[0]}/{digest}", sha256=digest, size=len(data))
    store.put(stored.key, data)
    return stored


def _divided(headers: Headers) -> tuple[Headers, Headers]:
    """A message's own headers, and ours behind them, of which the reason is the first: what was rejected may have come with headers
    that have our names."""
    begin = max((i for i, (name, _) in enumerate(headers) if name == REASON), default=len(headers))
    return headers[:begin], headers[begin:]


def _stored(ours: Headers) -> StoredMessage | None:
    found = header(ours, STORED)
    if found is None:
        return None
    try:
        stored = decoded(found, StoredMessage, f"header {STORED}")
        if not stored.key.startswith(f"{QUARANTINE}/") or not stored.key.endswith(f"/{stored.sha256}"):
            raise InvalidMessage(f"{stored.key!r} is no key of a rejected message")
    except InvalidMessage:
        return None
    return stored


def _name(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
