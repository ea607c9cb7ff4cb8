"""A rejected message that is sent again: how it is known, what its header says, and what the record says of it.

A redrive is known by where the message came from and by its bytes. Quarantine may hold a message twice, and a topic that is made
anew begins its offsets again; both are told apart by it.
"""

from typing import Annotated

import msgspec

from driftloop.contracts.codec import caused_id
from driftloop.contracts.foreign_json import decoded
from driftloop.contracts.headers import Headers, header
from driftloop.contracts.values import Count, Offset, Part
from driftloop.errors import InvalidMessage

REDRIVEN = "driftloop-redriven"
MAX_WHY = 1000  # characters
MAX_BY = 200

Why = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_WHY)]
By = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_BY)]


class Redrive(Part, frozen=True, kw_only=True):
    """In the header of a message that was sent again: where it came from, its place in quarantine, under which ``run`` it was sent, by
    whom, why, and what was done to it."""

    id: str
    quarantined: str
    topic: str
    partition: Count
    offset: Offset
    run: str
    by: By
    why: Why
    change: str


def redrive_id(topic: str, partition: int, offset: int, sha256: str) -> str:
    """``sha256``: of the rejected value, or of the whole message where it lies in the store."""
    return caused_id("redrive", topic, partition, offset, sha256)


def redrive_header(value: Redrive) -> tuple[str, bytes]:
    return REDRIVEN, msgspec.json.encode(value)


def redrive_of(headers: Headers) -> Redrive | None:
    """None for a message that nobody sent again, or whose header cannot be read: applications write to these topics, too."""
    value = header(headers, REDRIVEN) if headers else None
    if value is None:
        return None
    try:
        return decoded(value, Redrive, f"header {REDRIVEN}")
    except InvalidMessage:
        return None
