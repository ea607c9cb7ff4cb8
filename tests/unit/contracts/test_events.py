"""Events on the wire: golden examples decode for ever, strangers' bytes are refused with a reason."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from driftloop.contracts import codec
from driftloop.contracts.events import TrainingFailed
from driftloop.contracts.topics import CONTROL_TOPICS
from driftloop.documents import asyncapi
from driftloop.errors import InvalidMessage

EXAMPLES = Path(codec.__file__).parent / "examples"
DOCUMENT = Path(__file__).parents[3] / "docs" / "asyncapi.json"

EVENT = TrainingFailed(model="m", request_id="r", answers=("r",), reason="why")
ABOUT = codec.envelope(EVENT, id="1", source="driftloop/test", subject="m", time=datetime(2026, 5, 1, tzinfo=UTC))


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda p: p.stem)
def test_a_golden_example_decodes_and_encodes_to_the_same(path: Path) -> None:
    cls = codec.EVENT_TYPES[path.stem]
    event = msgspec.json.decode(path.read_bytes(), type=cls)
    assert msgspec.json.decode(msgspec.json.encode(event)) == msgspec.json.decode(path.read_bytes())


def test_every_event_type_has_a_golden_example_and_a_topic() -> None:
    assert {p.stem for p in EXAMPLES.glob("*.json")} >= set(codec.EVENT_TYPES)
    assert {type_ for topic in CONTROL_TOPICS for type_ in topic.events} == set(codec.EVENT_TYPES)


def test_an_event_comes_back_with_its_envelope() -> None:
    value, headers = codec.encode_event(EVENT, ABOUT)
    assert codec.decode_event(value, headers) == (EVENT, ABOUT)


def test_unknown_fields_of_a_newer_producer_are_ignored() -> None:
    value, headers = codec.encode_event(EVENT, ABOUT)
    assert codec.decode_event(value[:-1] + b',"added":1}', headers)[0] == EVENT


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "no value"),
        (b"{", "malformed|truncated"),
        (b"\xff", "malformed|invalid"),
        (b'{"model":"m"}', "missing required field"),
        (b'{"model":"../m","request_id":"r","answers":[],"reason":""}', "regex"),
        (b'{"model":"abc\\n","request_id":"r","answers":[],"reason":""}', "regex"),
        (b'{"model":3,"request_id":"r","answers":[],"reason":""}', "Expected `str`"),
        (b"[" * 5000, "recursion|malformed|depth|Expected|truncated"),
    ],
)
def test_a_value_that_is_no_such_event_is_invalid_with_a_reason(value: bytes | None, reason: str) -> None:
    _, headers = codec.encode_event(EVENT, ABOUT)
    with pytest.raises(InvalidMessage, match=f"(?i){reason}"):
        codec.decode_event(value, headers)


@pytest.mark.parametrize("name", ["ce_id", "ce_type", "ce_source", "ce_time", "ce_subject"])
def test_a_missing_attribute_is_named(name: str) -> None:
    value, headers = codec.encode_event(EVENT, ABOUT)
    with pytest.raises(InvalidMessage, match=name):
        codec.decode_event(value, tuple(h for h in headers if h[0] != name))


def test_the_same_cause_gives_the_same_id_and_another_cause_another() -> None:
    assert codec.caused_id("lake", "flights", 1) == codec.caused_id("lake", "flights", 1)
    assert codec.caused_id("a", "bc") != codec.caused_id("ab", "c")


def test_the_asyncapi_document_is_the_generated_one() -> None:
    assert DOCUMENT.read_text() == asyncapi.text(), "run: python -m driftloop.documents.asyncapi > docs/asyncapi.json"
