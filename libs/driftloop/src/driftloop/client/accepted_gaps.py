"""Messages that are gone for good, put on record: after that the services go on without them."""

import re
from datetime import UTC, datetime

from driftloop.client.arguments import SHOWN_CHARACTERS
from driftloop.client.connections import Connections
from driftloop.client.maintenance import stream_tables
from driftloop.client.stream_project import project_of
from driftloop.contracts import topics
from driftloop.contracts.existing_topics import OURS, ExistingTopics
from driftloop.contracts.gaps import MAX_WORDS, AcceptedGap
from driftloop.errors import Fenced, UserError
from driftloop.lake.gaps import accept_gap
from driftloop.ports import TopicPartition

_ATTEMPTS = 5
_MAX_NAME = 200


def accepted_gap(to: Connections, stream: str, where: str, start: int, end: int, *, reason: str, by: str) -> AcceptedGap:
    """The record, as ``lake.gaps`` makes it. ``where``: TOPIC-PARTITION.

    Raises UserError for what cannot be missing, TransientError; safe to repeat.
    """
    inferences, labels = stream_tables(to, stream)
    topic, partition = _place(stream, where, their := _theirs(to, stream, where))
    table = labels if topic in (topics.labels(stream), their.labels) else inferences
    gap = AcceptedGap(
        topic=topic,
        topic_id=_checked(to, topic, partition, start, end, expired=topic not in (topics.requests(stream), their.requests)),
        partition=partition,
        start=start,
        end=end,
        reason=_words("reason", reason, MAX_WORDS),
        by=_words("name of who accepts it", by, _MAX_NAME),
        at=datetime.now(UTC),
    )
    for _ in range(_ATTEMPTS):
        try:
            return accept_gap(table, to.store, gap)
        except Fenced as exc:  # ingest came first
            fenced = exc
    raise UserError(f"ingest is at work on {where}, so nothing is missing there yet: {fenced}") from fenced


def _theirs(to: Connections, stream: str, where: str) -> ExistingTopics:
    """Of a stream whose project names topics of somebody else; asked for only where the topic is none of the stream's own."""
    if where.startswith(f"{stream}."):
        return OURS
    project = project_of(to, stream)
    return OURS if project is None else project.existing


def _place(stream: str, where: str, theirs: ExistingTopics) -> tuple[str, int]:
    match = re.fullmatch(r"(?P<topic>.+)-(?P<partition>\d{1,6})", where)
    known = (theirs.requests or topics.requests(stream), topics.inferences(stream), theirs.labels or topics.labels(stream))
    if match is None or match["topic"] not in known:
        shown = where[:SHOWN_CHARACTERS]
        raise UserError(f"{shown!r} is no partition of a data topic; one looks like {known[2]}-0 (topics: {', '.join(known)})")
    return match["topic"], int(match["partition"])


def _checked(to: Connections, topic: str, partition: int, start: int, end: int, *, expired: bool) -> str:
    """The topic's id. Raises UserError for offsets that the topic has not come to, and for messages that it still holds where
    only ``expired`` ones can be missing: there may be requests of which no inference was ever written."""
    if start >= end:
        raise UserError(f"offsets {start} to {end} are none: the second is the first that is there again")
    tp = TopicPartition(topic, partition)
    about = to.topics.describe([topic])[topic]
    if partition >= about.partitions:
        raise UserError(f"{topic} has {about.partitions} partitions, counted from 0")
    reader = to.topics.reader([tp])
    try:
        first, last = reader.beginning_offsets([tp])[tp], reader.end_offsets([tp])[tp]
    finally:
        reader.close()
    if end > last:
        raise UserError(f"{topic}-{partition} ends at offset {last}: what is to come cannot be missing yet")
    if expired and end > first:
        raise UserError(f"{topic}-{partition} holds the messages from offset {first} on: those are not missing")
    return about.id


def _words(name: str, text: str, most: int) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise UserError(f"the {name} is not readable text in this terminal's encoding") from exc
    if not 0 < len(text.strip()) <= most:
        raise UserError(f"the {name} takes 1 to {most} characters")
    return text.strip()
