"""The page on sending names what the producer has, and its plain JSON is what the services decode."""

import inspect
import re
from pathlib import Path

import pytest

from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.ports import Record
from driftloop.producing import AsyncProducer, Producer
from driftloop.rows.labels import LabelDecoder
from driftloop.rows.requests import RequestDecoder

PAGE = (Path(__file__).parents[3] / "docs" / "producer.md").read_text()
SCHEMA = StreamSchema(
    stream="taxi",
    features=(Feature(name="distance", type="number"), Feature(name="zone", type="category")),
    target=Target(name="tipped", type="boolean"),
)


def public(kind: type) -> set[str]:
    return {name for name, member in vars(kind).items() if not name.startswith("_") and inspect.isfunction(member)}


def test_every_method_is_named_and_asyncio_has_the_same() -> None:
    named = set(re.findall(r"`(?:\w+\.)?(\w+)\(", PAGE))
    assert public(Producer) - named == {"close"}
    assert "`close`" in PAGE
    assert public(AsyncProducer) == public(Producer)
    for name in public(Producer):
        assert list(inspect.signature(getattr(AsyncProducer, name)).parameters) == list(
            inspect.signature(getattr(Producer, name)).parameters
        )


def test_its_settings_are_the_producers() -> None:
    for name, value in re.findall(r"`(max_in_flight|block_seconds|delivery_seconds)` \(([\d,]+)\)", PAGE):
        assert inspect.signature(Producer).parameters[name].default == int(value.replace(",", ""))


@pytest.mark.parametrize("row", re.findall(r"^\| `taxi\.requests` \| the entity \| `(\{.*\})`", PAGE, re.MULTILINE))
def test_the_plain_row_is_decoded(row: str) -> None:
    decoded = RequestDecoder(SCHEMA).decode(Record("taxi.requests", 0, 0, 0, b"cab-17", row.encode(), ()))
    assert decoded.unknown_field_rows == 0
    assert decoded.rows.select(["event_id", "entity", "distance", "zone"]).to_pylist() == [
        {"event_id": "1", "entity": "cab-17", "distance": 3.2, "zone": "N"}
    ]


@pytest.mark.parametrize("label", re.findall(r"^\| `taxi\.labels` \| the event id \| `(\{.*\})`", PAGE, re.MULTILINE))
def test_the_plain_label_is_decoded(label: str) -> None:
    [decoded] = LabelDecoder(SCHEMA).decode(Record("taxi.labels", 0, 0, 0, b"1", label.encode(), ())).to_pylist()
    assert (decoded["event_id"], decoded["label"]) == ("1", True)
