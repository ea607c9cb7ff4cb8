"""What people ask on the command line of the topics: what was decided, what was rejected; and what they ask for."""

import base64
import json

import pytest
from tests.integration.registry.moves import set_up
from tests.integration.registry.registry_process import commands, registry

from driftloop.adapters.kafka import Producer, create_topics, read_topic
from driftloop.contracts.codec import decode_event
from driftloop.contracts.events import RetrainRequested
from driftloop.contracts.topics import RETRAIN_REQUESTS, quarantine, stream_topics
from driftloop.ports import Record
from driftloop.service.quarantine import send_to_quarantine

BROKEN = b'{"half": "\xff a row'


@pytest.fixture
def running(world, tmp_path):
    with registry(world, tmp_path) as up:
        set_up(world, up)
        yield up


@pytest.fixture
def driftloop(world, running, tmp_path):
    return commands(world, running, tmp_path)


def refused(done):
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
    assert done.stderr.startswith("error: ")
    return done.stderr


def test_decisions_are_shown_once_each_with_their_reasons(world, driftloop):
    world.train(f"{world.model}-r1")  # delivered again: its decision is repeated, under the same id
    done = driftloop("decisions", "--model", world.model, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [decision["accepted"] for decision in found] == [True, False]
    assert {decision["kind"] for decision in found} == {"promote"}
    assert all(decision["reason"] and decision["evidence"] is not None for decision in found)

    shown = driftloop("decisions", "--model", world.model)
    assert world.model in shown.stdout
    assert json.loads(driftloop("decisions", "--model", "nobodys", "--json").stdout) == []
    assert "is no model name" in refused(driftloop("decisions", "--model", "../etc"))


def test_a_rejected_message_is_listed_and_shown_with_its_very_bytes(world, driftloop):
    create_topics(world.bootstrap, stream_topics(world.model, 2))
    producer = Producer(world.bootstrap, client_id="test")
    record = Record(f"{world.model}.requests", 1, 41, 0, b"\x00key", BROKEN, (("content-type", b"application/json"),))
    send_to_quarantine(producer, quarantine(world.model), record, "broken UTF-8: invalid start byte", world.store)
    producer.flush()
    producer.close()

    listed = json.loads(driftloop("quarantine", "list", "--stream", world.model, "--json").stdout)
    assert [{k: v for k, v in found.items() if k not in ("id", "rejected_at")} for found in listed] == [
        {
            "topic": f"{world.model}.requests",
            "partition": 1,
            "offset": 41,
            "bytes": len(BROKEN),
            "reason": "broken UTF-8: invalid start byte",
            "redriven": [],
        }
    ]
    name = listed[0]["id"]
    shown = json.loads(driftloop("quarantine", "show", name, "--stream", world.model, "--json").stdout)
    assert base64.b64decode(shown["value"]) == BROKEN
    assert base64.b64decode(shown["key"]) == b"\x00key"
    assert [(h["name"], base64.b64decode(h["value"])) for h in shown["headers"]] == list(record.headers)

    person = driftloop("quarantine", "show", name, "--stream", world.model)
    assert (person.returncode, "\\xff a row" in person.stdout) == (0, True)
    partition, _, offset = name.partition(":")
    for beyond in (f"{partition}:{int(offset) + 1}", f"{partition}:999999"):
        assert "holds no message" in refused(driftloop("quarantine", "show", beyond, "--stream", world.model))
    for wrong in ("last", f"0:{2**64}"):
        assert "is no id of a rejected message" in refused(driftloop("quarantine", "show", wrong, "--stream", world.model))
    assert "is no stream name" in refused(driftloop("quarantine", "list", "--stream", "a.b"))


def test_a_rejected_message_that_was_too_large_for_the_topic_is_shown_and_got_as_it_was_or_not_at_all(world, driftloop, tmp_path):
    create_topics(world.bootstrap, stream_topics(world.model, 2))
    producer = Producer(world.bootstrap, client_id="test")
    value = b"\xff large " * 1_500_000
    record = Record(f"{world.model}.labels", 0, 3, 0, b"k", value, (("trace", b"1"),))
    send_to_quarantine(producer, quarantine(world.model), record, "not a label", world.store)
    producer.flush()
    producer.close()
    (listed,) = json.loads(driftloop("quarantine", "list", "--stream", world.model, "--json").stdout)
    assert (listed["offset"], listed["reason"]) == (3, "not a label")
    assert listed["bytes"] > len(value)

    shown = json.loads(driftloop("quarantine", "show", listed["id"], "--stream", world.model, "--json").stdout)
    assert (base64.b64decode(shown["value"]), base64.b64decode(shown["key"])) == (value, b"k")
    file = tmp_path / "value"
    assert driftloop("quarantine", "get", listed["id"], "--stream", world.model, "--output", str(file)).returncode == 0
    assert file.read_bytes() == value
    assert "cannot write" in refused(driftloop("quarantine", "get", listed["id"], "--stream", world.model, "--output", "/none/of/it"))

    (stored,) = world.store.list(f"quarantine/{world.model}/")
    world.store.put(stored.key, b"other bytes")
    damaged = driftloop("quarantine", "show", listed["id"], "--stream", world.model)
    assert damaged.returncode == 1
    assert "are not the ones that were named" in damaged.stderr


def test_a_person_asks_for_a_new_version(world, driftloop):
    done = driftloop("retrain", world.model, "--reason", "a new carrier", "--cause", "new-data", "--json")
    assert done.returncode == 0, done.stderr
    asked = json.loads(done.stdout)["request_id"]
    events = [decode_event(record.value, record.headers) for record in read_topic(world.bootstrap, RETRAIN_REQUESTS)]
    mine = [event for event, about in events if about.id == asked]
    assert [(e.model, e.reason, e.detail) for e in mine if isinstance(e, RetrainRequested)] == [(world.model, "new-data", "a new carrier")]

    assert "no model 'nobodys' is registered" in refused(driftloop("retrain", "nobodys", "--reason", "x"))
    assert "--reason" in refused(driftloop("retrain", world.model))
