"""One message as an application sends it, and those that can never be read. Pure."""

from typing import Literal, NamedTuple

import msgspec

from driftloop.contracts.headers import ARROW, CONTENT_TYPE, JSON, Headers

Topic = Literal["requests", "labels"]
Via = Literal["kafka-python", "aiokafka"]
VIAS: tuple[Via, ...] = ("kafka-python", "aiokafka")

JSON_HEADER = (CONTENT_TYPE, JSON.encode())
ARROW_HEADER = (CONTENT_TYPE, ARROW.encode())


class Message(NamedTuple):
    """``events``: ids of the rows that it brings; none: it belongs into quarantine. ``kind`` says what is special about it."""

    topic: Topic
    kind: str
    value: bytes | None
    key: bytes | None
    headers: Headers
    events: tuple[str, ...]

    @property
    def bad(self) -> bool:
        return not self.events


_DEEP = 20_000
# What is wrong with it, by topic. ``%s`` takes an event id, so that no two are the same.
_TIME = "2024-03-01T00:30:00Z"
_ROW = '{"event_id": "%s", "event_time": "' + _TIME + '", "kind": "k1"'
_LABEL = '{"event_id": "%s", "event_time": "' + _TIME + '"'
BAD_ROWS: dict[str, str | bytes | None] = {
    "not JSON": "{%s",
    "not UTF-8": b'{"event_id": "%s \xff\xfe"}',
    "a feature is missing": _ROW + "}",
    "a number is a text": _ROW + ', "amount": "much"}',
    "NaN": _ROW + ', "amount": NaN}',
    "no event id": '{"event_id": "", "event_time": "' + _TIME + '", "kind": "k1", "amount": 1.0, "entity": "%s"}',
    "no such day": '{"event_id": "%s", "event_time": "2024-02-31T00:00:00Z", "kind": "k1", "amount": 1.0}',
    "year 99999": '{"event_id": "%s", "event_time": "99999-01-01T00:00:00Z", "kind": "k1", "amount": 1.0}',
    "an array": '["%s"]',
    "nested too deep": '{"event_id": "%s", "amount": ' + "[" * _DEEP + "]" * _DEEP + "}",
    "an id of 10 kB": '{"event_id": "%s' + "x" * 10_000 + '", "event_time": "' + _TIME + '", "kind": "k1", "amount": 1.0}',
    "no value": None,
    "Arrow that is none": b"ARROW1 %s \x00\x00",
}
BAD_LABELS: dict[str, str | bytes | None] = {
    "not JSON": "{%s",
    "not UTF-8": b'{"event_id": "%s \xff\xfe"}',
    "no label": _LABEL + "}",
    "a label of another type": _LABEL + ', "label": "perhaps"}',
    "no event time": '{"event_id": "%s", "label": 1}',
    "no value": None,
    "Arrow that is none": b"ARROW1 %s \x00\x00",
}


def bad_message(topic: Topic, number: int, mark: str) -> Message:
    """The ``number``-th kind, over and over; ``mark`` is in its bytes."""
    kinds = BAD_ROWS if topic == "requests" else BAD_LABELS
    what = list(kinds)[number % len(kinds)]
    template = kinds[what]
    encoded = template.encode() if isinstance(template, str) else template
    value = None if encoded is None else encoded.replace(b"%s", mark.encode())
    headers = (ARROW_HEADER,) if what.startswith("Arrow") else (JSON_HEADER,)
    return Message(topic, f"bad: {what}", value, mark.encode(), headers, ())


def json_value(body: object) -> bytes:
    """As applications encode it."""
    return msgspec.json.encode(body)
