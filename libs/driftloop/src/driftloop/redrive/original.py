"""A rejected message as it was sent, and what it is to be sent as."""

from typing import Any, NamedTuple

import msgspec

from driftloop.contracts.foreign_json import UNDECODABLE
from driftloop.contracts.headers import Headers, is_arrow
from driftloop.contracts.redrives import REDRIVEN, redrive_id
from driftloop.ports import Record
from driftloop.service.quarantine import Quarantined
from driftloop.stored import sha256_of


class Original(NamedTuple):
    """``quarantined``: its place in quarantine, ``2:41``; ``id``: of its redrives. Headers of an earlier redrive are not among
    ``headers``: a message that was rejected again was sent from where it is now."""

    id: str
    quarantined: str
    topic: str
    partition: int
    offset: int
    reason: str
    value: bytes | None
    key: bytes | None
    headers: Headers

    @property
    def row(self) -> dict[str, Any] | None:
        """The JSON object that it holds; None when it holds none that can be read."""
        if self.value is None or is_arrow(self.headers):
            return None
        try:
            found = msgspec.json.decode(self.value)
        except UNDECODABLE:
            return None
        return found if isinstance(found, dict) else None


class Changed(NamedTuple):
    """What is sent in its place."""

    value: bytes | None
    key: bytes | None
    headers: Headers


def place(record: Record) -> str:
    """A record's place in quarantine, as commands name it."""
    return f"{record.partition}:{record.offset}"


def id_of(found: Quarantined) -> str:
    """The id of a rejected message's redrives; the store is not asked."""
    digest = sha256_of(found.record.value or b"") if found.stored is None else found.stored.sha256
    return redrive_id(found.topic, found.partition, found.offset, digest)


def original(record: Record, found: Quarantined, id: str) -> Original:
    """Of a record of quarantine, read, and fetched where it lies in the store. ``id``: ``id_of``, of before it was fetched."""
    headers = tuple(each for each in found.record.headers if each[0] != REDRIVEN)
    return Original(
        id, place(record), found.topic, found.partition, found.offset, found.reason, found.record.value, found.record.key, headers
    )
