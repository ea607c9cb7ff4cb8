"""Rejected messages of the small stream, for tests of sending them again."""

from typing import Any

import msgspec
from tests.support.traffic import small_schema

from driftloop.contracts.headers import CONTENT_TYPE, JSON, Headers
from driftloop.ports import Record
from driftloop.redrive.original import Original, id_of, original
from driftloop.service.quarantine import quarantine_headers, read_quarantined

STREAM = "s"
SCHEMA = small_schema(STREAM)
JSON_ROW: Headers = ((CONTENT_TYPE, JSON.encode()),)
TIME = "2024-03-01T00:30:00Z"


def row(n: int, **fields: Any) -> dict[str, Any]:
    return {"event_id": f"e{n}", "event_time": TIME, "amount": 1.5, "kind": "k1", "night": True} | fields


def truth(n: int, **fields: Any) -> dict[str, Any]:
    return {"event_id": f"e{n}", "event_time": TIME, "label": True, "label_time": TIME} | fields


def rejected(
    value: Any, *, topic: str = f"{STREAM}.requests", at: int = 0, place: int = 0, headers: Headers = JSON_ROW, reason: str = "broken"
) -> Record:
    """A record of quarantine at offset ``place``; of ``topic``'s partition 0, offset ``at``."""
    data = value if value is None or isinstance(value, bytes) else msgspec.json.encode(value)
    sent = Record(topic, 0, at, 0, b"key", data, headers)
    return Record(f"{STREAM}.quarantine", 0, place, 0, b"key", data, quarantine_headers(sent, reason))


def as_original(record: Record) -> Original:
    found = read_quarantined(record)
    return original(record, found, id_of(found))
