"""Events on the wire: golden examples decode for ever, strangers' bytes are refused with a reason."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from driftloop.contracts import codec
from driftloop.contracts.events import DriftReported, TrainingFailed
from driftloop.contracts.topics import CONTROL_TOPICS
from driftloop.documents import asyncapi
from driftloop.errors import InvalidMessage

EXAMPLES = Path(codec.__file__).parent / "examples"
DOCUMENT = Path(__file__).parents[3] / "docs" / "asyncapi.json"

EVENT = TrainingFailed(model="m", request_id="r", answers=("r",), reason="why")
ABOUT = codec.envelope(EVENT, id="1", source="driftloop/test", subject="m", time=datetime(2026, 5, 1, tzinfo=UTC))


def event_type(example: Path) -> str:
    """An example that shows fields added later is called ``<type>+<what was added>.json``."""
    return example.stem.partition("+")[0]


def lost(example: Any, again: Any, at: str = "event") -> list[str]:
    """Where the example's content did not come back; fields that were added since do not matter."""
    if isinstance(example, dict) and isinstance(again, dict):
        gone = [f"{at}.{name} is gone" for name in example.keys() - again.keys()]
        return gone + [place for name in example.keys() & again.keys() for place in lost(example[name], again[name], f"{at}.{name}")]
    if isinstance(example, list) and isinstance(again, list) and len(example) == len(again):
        return [place for n, pair in enumerate(zip(example, again, strict=True)) for place in lost(*pair, f"{at}[{n}]")]
    return [] if type(example) is type(again) and example == again else [f"{at} was {example!r} and is {again!r}"]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda p: p.stem)
def test_all_of_a_golden_example_comes_back(path: Path) -> None:
    event = msgspec.json.decode(path.read_bytes(), type=codec.EVENT_TYPES[event_type(path)])
    assert lost(msgspec.json.decode(path.read_bytes()), msgspec.json.decode(msgspec.json.encode(event))) == []


@pytest.mark.parametrize(
    ("again", "places"),
    [
        ({"a": {"b": [1, {"c": None}]}, "added": 1}, []),
        ({"a": {"b": [1, {"c": None, "added": {}}]}}, []),
        ({"a": {"b": [1, {}]}}, ["event.a.b[1].c is gone"]),
        ({"a": {"b": [2, {"c": None}]}}, ["event.a.b[0] was 1 and is 2"]),
        ({"a": {"b": [1.0, {"c": None}]}}, ["event.a.b[0] was 1 and is 1.0"]),
        ({"a": {"b": [1]}}, ["event.a.b was [1, {'c': None}] and is [1]"]),
        ({}, ["event.a is gone"]),
    ],
)
def test_what_of_an_example_does_not_come_back_is_named_and_what_was_added_is_not(again: Any, places: list[str]) -> None:
    assert lost({"a": {"b": [1, {"c": None}]}}, again) == places


def test_every_event_type_has_a_golden_example_and_a_topic() -> None:
    assert {event_type(p) for p in EXAMPLES.glob("*.json")} == set(codec.EVENT_TYPES)
    assert {type_ for topic in CONTROL_TOPICS for type_ in topic.events} == set(codec.EVENT_TYPES)


def test_a_report_of_before_the_statistics_still_answers_by_name() -> None:
    old, new = (
        msgspec.json.decode((EXAMPLES / name).read_bytes(), type=DriftReported).features["temp"]
        for name in ("driftloop.drift-reported.v1.json", "driftloop.drift-reported.v1+statistics.json")
    )
    assert (old.statistics, old.statistic("psi"), old.statistic("ks"), old.statistic("js")) == ({}, 0.31, 0.22, None)
    assert (new.psi, new.statistic("psi"), new.statistic("js")) == (0.31, 0.31, 0.27)


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


def test_an_event_that_is_nested_deeper_than_can_be_looked_into_is_invalid() -> None:
    evidence: dict[str, Any] = {}
    for _ in range(600):
        evidence = {"in": evidence}
    value = (
        b'{"model": "m", "kind": "retrain", "accepted": false, "reason": "", "window": null, "rule": "' + b"0" * 64 + b'", "evidence": %s}'
    )
    headers = tuple((name, text.encode()) for name, text in HEADERS.items())
    with pytest.raises(InvalidMessage, match="nested too deep"):
        codec.decode_event(value % msgspec.json.encode(evidence), headers)


HEADERS = {
    "ce_id": "1",
    "ce_type": "driftloop.decision-made.v1",
    "ce_source": "driftloop/test",
    "ce_time": "2026-01-01T00:00:00Z",
    "ce_subject": "m",
}
