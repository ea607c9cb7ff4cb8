"""Rejected messages keep their bytes, key and headers, and gain a reason and an origin."""

from typing import NamedTuple

from driftloop.contracts.headers import UNREADABLE_BATCH, Headers, header
from driftloop.ports import MessageProducer, Record

PREFIX = "driftloop-quarantine-"
REASON = PREFIX + "reason"
ORIGIN_TOPIC = PREFIX + "topic"
ORIGIN_PARTITION = PREFIX + "partition"
ORIGIN_OFFSET = PREFIX + "offset"
NULL_VALUE = PREFIX + "null-value"
MAX_REASON_CHARACTERS = 1000


class Quarantined(NamedTuple):
    """A quarantined message as read back: the original, and why and where from."""

    record: Record
    reason: str
    topic: str
    partition: int
    offset: int


def quarantine_headers(record: Record, reason: str) -> Headers:
    """The original headers, untouched and first, then ours."""
    unreadable = header(record.headers, UNREADABLE_BATCH)
    if unreadable is not None:  # whatever a decoder made of the batch's bytes
        reason = "a batch that cannot be read, as the broker has it: " + unreadable.decode("utf-8", "replace")
    ours = {
        REASON: reason[:MAX_REASON_CHARACTERS],
        ORIGIN_TOPIC: record.topic,
        ORIGIN_PARTITION: str(record.partition),
        ORIGIN_OFFSET: str(record.offset),
    }
    return (*record.headers, *((k, v.encode("utf-8", "replace")) for k, v in ours.items()))


def send_to_quarantine(producer: MessageProducer, topic: str, record: Record, reason: str) -> None:
    """Hand over for sending; the caller flushes before the offset may count as done."""
    headers, value = quarantine_headers(record, reason), record.value
    if value is None and record.key is None:  # the client cannot send a message with neither
        headers, value = (*headers, (NULL_VALUE, b"1")), b""
    producer.send(topic, value, key=record.key, headers=headers)


def read_quarantined(record: Record) -> Quarantined:
    """Take a quarantine message apart again."""

    def text(name: str) -> str:
        return (header(record.headers, name) or b"").decode("utf-8", "replace")

    original = record._replace(headers=tuple((k, v) for k, v in record.headers if not k.startswith(PREFIX)))
    if header(record.headers, NULL_VALUE) is not None:
        original = original._replace(value=None)
    partition, offset = text(ORIGIN_PARTITION), text(ORIGIN_OFFSET)
    return Quarantined(
        record=original,
        reason=text(REASON),
        topic=text(ORIGIN_TOPIC),
        partition=int(partition) if partition.isdigit() else -1,
        offset=int(offset) if offset.isdigit() else -1,
    )
