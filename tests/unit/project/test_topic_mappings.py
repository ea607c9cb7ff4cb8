"""``[stream.requests]`` and ``[stream.labels]``: topics that are somebody else's."""

import pytest

from driftloop.contracts.broker_rights import rights
from driftloop.contracts.existing_topics import ExistingTopics, Source
from driftloop.contracts.services import INGEST, PREDICTOR
from driftloop.errors import UserError
from driftloop.project.model import Project
from driftloop.project.reading import parse_project

TOML = """
[project]
name = "shop"
model = "late"

[stream]
name = "shop"

[stream.requests]
topic = "orders.v1"
format = "avro"
event_id = "order.id"
event_time = "order.placed_at"
time_format = "unix_ms"

[stream.labels]
topic = "orders.outcomes"
format = "json"
event_id = "order_id"
event_time = "placed_at"
label = "late"

[features]
km = { type = "number", path = "route.km", scale = 1.8, offset = 32 }
carrier = "category"
promised = { type = "datetime", time_format = "unix" }

[target]
name = "late"
type = "boolean"
metric = "roc_auc"

[windows]
every = "1d"
"""


def project(text: str = TOML) -> Project:
    return parse_project({"driftloop.toml": text.encode(), "pipeline.py": b"def build(): ...\n"}, where="shop")


def test_a_project_names_topics_and_paths() -> None:
    found = project()
    assert (found.requests_topic, found.labels_topic) == ("orders.v1", "orders.outcomes")
    assert found.requests is not None
    assert found.labels is not None
    assert found.requests.columns == {
        "event_id": Source(path="order.id"),
        "event_time": Source(path="order.placed_at", time_format="unix_ms"),
        "km": Source(path="route.km", scale=1.8, offset=32.0),
        "carrier": Source(path="carrier"),
        "promised": Source(path="promised", time_format="unix"),
    }
    assert set(found.labels.columns) == {"event_id", "event_time", "label"}


def test_without_the_tables_the_topics_are_ours() -> None:
    begin, end = TOML.index("[stream.requests]"), TOML.index("[features]")
    plain = TOML[:begin] + TOML[end:].replace(', path = "route.km", scale = 1.8, offset = 32', "").replace(', time_format = "unix"', "")
    found = project(plain)
    assert (found.requests_topic, found.labels_topic, found.existing) == ("shop.requests", "shop.labels", ExistingTopics())
    assert found.schema.fingerprint() == project().schema.fingerprint()  # where values come from is no matter of what they are


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        ('event_id = "order.id"', 'event_id = "order..id"', 12, "'order..id' is no path: names of fields, divided by dots"),
        ('event_id = "order.id"', 'event_id = "@offset"', 12, "'@offset' is no path; the words are @key, @timestamp, @coordinates"),
        ('event_id = "order.id"', "", 9, "missing required field `event_id`"),
        ('event_time = "order.placed_at"', 'event_time = "@coordinates"', 13, "it can be an event_id, and nothing else"),
        ('label = "late"', 'label = "@key"', 21, "'@key' is no path, and no word may stand here"),
        ('format = "avro"', 'format = "xml"', 11, "one of avro, json, json-schema, protobuf"),
        ('topic = "orders.v1"', 'topic = "orders v1"', 10, "'orders v1' is no topic's name"),
        ('topic = "orders.v1"', 'topic = "shop.inferences"', 10, "shop.inferences is a topic that driftloop itself writes"),
        ('topic = "orders.outcomes"', 'topic = "orders.v1"', 17, "orders.v1 holds the requests already"),
        ("scale = 1.8", "scale = 0", 24, "a scale of 0 leaves nothing of what was sent"),
        ('carrier = "category"', 'carrier = { type = "category", scale = 2 }', 25, "it is a category"),
        ('carrier = "category"', 'carrier = { type = "category", time_format = "unix" }', 25, "which is no time"),
        ('path = "route.km"', 'path = "@timestamp"', 24, "no word may stand here"),
        ('[stream.requests]\ntopic = "orders.v1"', "[stream.reqs]\ntopic = 5", 6, "unknown field `reqs`"),
    ],
)
def test_what_cannot_be_is_said_with_its_line(before: str, after: str, line: int, said: str) -> None:
    assert before in TOML
    with pytest.raises(UserError) as raised:
        project(TOML.replace(before, after))
    assert said in str(raised.value)
    assert str(raised.value).startswith(f"shop/driftloop.toml:{line}:")


def test_a_path_without_a_topic_is_about_nothing() -> None:
    begin, end = TOML.index("[stream.requests]"), TOML.index("[stream.labels]")
    with pytest.raises(UserError, match=r"path of 'km': there is no \[stream.requests\]"):
        project(TOML[:begin] + TOML[end:])


def test_their_topics_are_read_and_nothing_more() -> None:
    theirs = ExistingTopics(requests="orders.v1", labels="orders.outcomes")
    known = {topic.name: topic for service in (PREDICTOR, INGEST) for topic in service.topics("shop", existing=theirs)}
    assert known["orders.v1"].existing
    assert not known["shop.inferences"].existing
    assert not {"shop.requests", "shop.labels"} & known.keys()
    given = {(right.user, right.operation) for right in rights(["shop"], {"shop": theirs}) if right.name == "orders.v1"}
    assert {operation for _, operation in given} == {"read", "describe", "describe-configs"}
    assert ("predictor", "read") in given
    assert not [right for right in rights(["shop"], {"shop": theirs}) if right.name in ("shop.requests", "shop.labels")]
