"""`driftloop.Client()` and what stands beside it, on a real broker, store and registry: every question has a typed answer."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from tests.integration.registry.moves import set_up
from tests.integration.registry.registry_process import World, registry
from tests.support.waiting import wait_until
from tests.unit.history.facts import about, drift, performance, window

from driftloop import Client
from driftloop.adapters.kafka import KafkaTopics, Producer, create_topics
from driftloop.adapters.memory import MemoryStore
from driftloop.client.changes import Changes
from driftloop.contracts.codec import encode_event
from driftloop.contracts.events import Event
from driftloop.contracts.topics import DRIFT_REPORTS, PERFORMANCE_REPORTS, quarantine, stream_topics
from driftloop.errors import TransientError, UserError
from driftloop.installation import Installation
from driftloop.ports import Record
from driftloop.service.quarantine import send_to_quarantine
from driftloop.settings import S3Settings


@pytest.fixture
def stack(world: World, tmp_path) -> Iterator[Installation]:
    """With two versions of one model, the first of them champion."""
    with registry(world, tmp_path) as running:
        set_up(world, running)
        create_topics(world.bootstrap, stream_topics(world.model, 2))
        url = str(running.client.base_url).rstrip("/")
        s3 = S3Settings(**asdict(world.s3))
        yield Installation(tmp_path, world.bootstrap, s3, url, {"registry-0": url, "predictor-0": "http://127.0.0.1:1"})


@pytest.fixture
def client(stack: Installation) -> Client:
    return Client(stack=stack)


def tell(world: World, *told: tuple[str, Event, str]) -> None:
    producer = Producer(world.bootstrap, client_id="test")
    for topic, event, event_id in told:
        value, headers = encode_event(msgspec.structs.replace(event, model=world.model), about(event, f"{world.model}-{event_id}"))
        producer.send(topic, value, key=world.model.encode(), headers=headers)
    producer.flush()
    producer.close()


def test_models_are_answered_with_their_versions_and_history(world: World, client: Client) -> None:
    before = datetime.now(UTC)
    summary = next(found for found in client.models() if found.model == world.model)
    assert (summary.versions, summary.champion, summary.champion_epoch, summary.project.stream) == (2, 1, 1, world.model)
    model = client.model(world.model)
    assert [version.version for version in model.versions] == [1, 2]
    assert model.state().champion == model.state().versions[0]
    assert [entry.outcome.accepted for entry in client.history(world.model)][:2] == [True, True]
    assert len(client.history(world.model, limit=1)) == 1
    at = client.alias_at(world.model, before)
    assert (at.version, at.epoch, at.manifest) == (1, 1, model.versions[0].manifest)
    assert at == client.alias_at(world.model, before.replace(tzinfo=None).isoformat())
    with pytest.raises(UserError, match="had no champion at"):
        client.alias_at(world.model, datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(UserError, match="no model nobodys is registered"):
        client.model("nobodys")


def test_what_is_changed_is_answered_and_on_the_record(world: World, stack: Installation, client: Client) -> None:
    changes = Changes(stack=stack)
    done = changes.promote(world.model, 2, reason="a better one")
    assert (done.accepted, done.version, done.epoch) == (True, 2, 2)
    back = changes.rollback(world.model, reason="no, it was not")
    assert (back.version, back.epoch) == (1, 3)
    assert changes.delete(world.model, 2, reason="withdrawn").accepted
    with pytest.raises(UserError, match="the registry refused"):
        changes.approve(world.model, 1, reason="why not")
    newest = client.history(world.model)[-1]  # what was refused is on no record
    assert (newest.reason, newest.outcome.accepted) == ("withdrawn", True)
    assert client.model(world.model).versions[1].standing.reason == "withdrawn"
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    assert changes.remove_deleted(world.model, before=long_ago, dry_run=True)[0].held.startswith("it was deleted only at")
    request_id = changes.retrain(world.model, reason="a new carrier", cause="new-data")
    with pytest.raises(UserError, match="no model 'nobodys' is registered"):
        changes.retrain("nobodys", reason="x")
    with pytest.raises(UserError, match="'boredom' is no cause"):
        changes.retrain(world.model, reason="x", cause="boredom")
    assert request_id


def test_what_the_loop_has_told_is_answered_of_one_model(world: World, client: Client) -> None:
    tell(
        world,
        (DRIFT_REPORTS, drift(0), "d0"),
        (DRIFT_REPORTS, drift(0, revision=1, rows=7), "d1"),
        (PERFORMANCE_REPORTS, performance(1), "p1"),
        (PERFORMANCE_REPORTS, performance(0, version=1), "p0"),
    )
    assert [(told.event.window, told.event.rows) for told in client.drift(world.model)] == [(window(0), 7)]
    assert [(told.event.window, told.event.version) for told in client.performance(world.model)] == [(window(0), 1), (window(1), None)]
    decisions = client.decisions(world.model)
    assert [told.event.accepted for told in decisions] == [True, False]
    assert [told for told in client.decisions() if told.event.model == world.model] == decisions
    assert client.reproductions(world.model) == []
    for ask in (client.drift, client.performance, client.decisions, client.reproductions):
        assert ask("nobodys") == []
        with pytest.raises(UserError, match="is no model name"):
            ask("../etc")


def test_status_says_what_runs_and_how_far_the_lake_is_behind(world: World, client: Client) -> None:
    producer = Producer(world.bootstrap, client_id="test")
    for n in range(5):
        producer.send(f"{world.model}.requests", b"{}", partition=n % 2)
    producer.flush()
    producer.close()
    found = client.status()
    assert {service.instance: service.state for service in found.services} == {"registry-0": "ready", "predictor-0": "down"}
    model = next(status for status in found.models if status.model == world.model)
    assert (model.versions, model.champion, model.epoch) == (2, 1, 1)
    lag = {topic.topic: (topic.end, topic.in_lake, topic.lag) for topic in found.lag if topic.topic.startswith(f"{world.model}.")}
    assert lag == {f"{world.model}.requests": (5, 0, 5), f"{world.model}.inferences": (0, 0, 0), f"{world.model}.labels": (0, 0, 0)}


def test_rejected_messages_are_answered_with_their_bytes(world: World, client: Client) -> None:
    producer = Producer(world.bootstrap, client_id="test")
    record = Record(f"{world.model}.labels", 1, 7, 0, None, b"\xff", (("h", b"\x00"),))
    send_to_quarantine(producer, quarantine(world.model), record, "no JSON", MemoryStore())
    producer.flush()
    producer.close()
    [listed] = client.quarantined(world.model)
    assert (listed.topic, listed.partition, listed.offset, listed.bytes, listed.reason) == (f"{world.model}.labels", 1, 7, 1, "no JSON")
    whole = client.quarantined_message(listed.id, world.model)
    assert (whole.value, whole.key, [(h.name, h.value) for h in whole.headers]) == (b"\xff", None, [("h", b"\x00")])
    with pytest.raises(UserError, match="is no id of a rejected message"):
        client.quarantined_message("first", world.model)


def test_the_registry_made_again_from_its_log_is_the_same(client: Client) -> None:
    found = client.rebuild_registry()
    assert found.same
    assert found.live == found.live_database == found.rebuilt


def test_a_client_of_a_store_alone_says_what_it_cannot_be_asked(world: World) -> None:
    alone = Client(s3_endpoint=world.s3.endpoint, access_key=world.s3.access_key, secret_key=world.s3.secret_key, bucket=world.s3.bucket)
    assert alone.snapshots(world.model) == []
    for ask in (alone.status, alone.models, alone.decisions, alone.datasets, alone.quarantined):
        with pytest.raises(UserError, match="was given the address of a store alone"):
            ask()


def test_a_registry_that_is_away_is_no_traceback(stack: Installation) -> None:
    away = Client(stack=stack._replace(registry_url="http://127.0.0.1:1"))
    with pytest.raises(TransientError, match="does not answer"):
        away.models()


def test_a_stream_gets_more_partitions_and_never_fewer(world: World, stack: Installation) -> None:
    changes = Changes(stack=stack)
    grown = {each.topic.rpartition(".")[2]: (each.before, each.now) for each in changes.add_partitions(world.model, 3)}
    assert grown == dict.fromkeys(("inferences", "quarantine", "labels", "requests"), (2, 3))
    names = [topic.name for topic in stream_topics(world.model)]
    topics = KafkaTopics(world.bootstrap, client_id="test")
    wait_until(lambda: {info.partitions for info in topics.describe(names).values()} == {3}, "the partitions to be there")
    assert {(each.before, each.now) for each in changes.add_partitions(world.model, 3)} == {(3, 3)}
    with pytest.raises(UserError, match=r"inferences has 3 partitions, and a topic never loses one"):
        changes.add_partitions(world.model, 2)
    with pytest.raises(UserError, match="does not exist; a stream's topics are made when its project is registered"):
        changes.add_partitions("nobody", 4)
    with pytest.raises(UserError, match="0 partitions: give between 1 and 1000"):
        changes.add_partitions(world.model, 0)
