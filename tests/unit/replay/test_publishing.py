"""Publishing: the order of the stream's clock, windows that are whole, JSON that says null."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from functools import cache

import pyarrow as pa
import pytest
from tests.unit.demo.year import flights, project

from driftloop.adapters.memory import MemoryBroker
from driftloop.contracts.headers import watermark
from driftloop.demo.flights import Flights, thinned
from driftloop.replay.publishing import Replay, ReplayProgress, messages
from driftloop.rows.schemas import label_schema, request_schema

START = datetime(2013, 2, 1, tzinfo=UTC)


@cache
def small() -> Flights:
    return thinned(flights(), 0.005, seed=0)


def broker() -> MemoryBroker:
    made = MemoryBroker()
    for topic in ("flights.requests", "flights.labels"):
        made.create_topic(topic, 4)
    return made


def test_messages_follow_the_streams_clock() -> None:
    sent = messages(small(), "flights", None, None)

    assert all(a.at <= b.at for a, b in itertools.pairwise(sent))
    assert len(sent) == len(small().requests) + len(small().labels)


def test_no_label_is_sent_before_its_flight() -> None:
    position = {(m.topic, json.loads(m.value)["event_id"]): i for i, m in enumerate(messages(small(), "flights", None, None))}

    assert all(position["flights.requests", event] < i for (topic, event), i in position.items() if topic == "flights.labels")


def test_stretches_between_the_cuts_send_every_row_once() -> None:
    cuts = [None, *project().windows.cuts[2:], None]
    parts = [messages(small(), "flights", start, end) for start, end in itertools.pairwise(cuts)]

    assert list(itertools.chain(*parts)) == messages(small(), "flights", None, None)


def test_a_windows_stretch_holds_the_labels_known_before_its_end_and_no_later_ones() -> None:
    start, end = project().windows.cuts[4:6]
    sent = messages(small(), "flights", start, end)
    known = [datetime.fromisoformat(json.loads(m.value)["label_time"]) for m in sent if m.topic == "flights.labels"]

    assert known
    assert all(start <= time < end for time in known)


def test_a_label_that_comes_after_its_window_is_sent_in_a_later_stretch() -> None:
    end = project().windows.cuts[4]
    sent = messages(flights(), "flights", end, end + timedelta(hours=12))
    late = [m for m in sent if m.topic == "flights.labels" and datetime.fromisoformat(json.loads(m.value)["event_time"]) < end]

    assert len(late) == 131


def test_a_missing_value_is_null_on_the_wire() -> None:
    schema = project().schema
    row = flights().requests.slice(0, 1).to_pylist()[0] | {"pressure": None}
    one = Flights(pa.Table.from_pylist([row], request_schema(schema)), label_schema(schema).empty_table())
    (message,) = messages(one, "flights", None, None)

    assert json.loads(message.value)["pressure"] is None
    assert b"NaN" not in message.value


def test_requests_are_keyed_by_entity_and_labels_by_event() -> None:
    for message in messages(small(), "flights", None, project().windows.cuts[1]):
        row = json.loads(message.value)
        assert message.key.decode() == (row["entity"] if message.topic == "flights.requests" else row["event_id"])


def test_what_is_counted_is_what_the_broker_holds() -> None:
    bus, told = broker(), list[ReplayProgress]()
    replay = Replay(bus.producer(), small(), "flights", 4)
    replay.publish(None, None, told.append)

    assert replay.requests == len(bus.records("flights.requests")) == len(small().requests)
    assert replay.labels == len(bus.records("flights.labels")) == len(small().labels)
    assert told[-1].requests + told[-1].labels == replay.requests + replay.labels


def test_a_watermark_goes_to_every_partition_of_requests_and_labels() -> None:
    bus = broker()
    Replay(bus.producer(), small(), "flights", 4).promise(START)

    for topic in ("flights.requests", "flights.labels"):
        assert [(r.partition, r.value, watermark(r.headers)) for r in bus.records(topic)] == [(p, None, START) for p in range(4)]


@pytest.mark.parametrize("speed", [None, 1e9])
def test_a_paced_replay_sends_the_same_rows(speed: float | None) -> None:
    bus = broker()
    Replay(bus.producer(), small(), "flights", 4).publish(None, None, lambda progress: None, speed=speed)

    assert len(bus.records("flights.requests")) == len(small().requests)


def test_a_pace_is_kept() -> None:
    start, end = project().windows.cuts[:2]
    at: list[datetime] = []
    began = datetime.now(UTC)
    Replay(broker().producer(), small(), "flights", 4).publish(
        start, end, lambda p: at.append(p.at), speed=(end - start) / timedelta(seconds=0.5)
    )

    assert datetime.now(UTC) - began > timedelta(seconds=0.4)
    assert len(at) > 2
