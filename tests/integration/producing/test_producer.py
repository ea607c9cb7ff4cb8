"""A producer on a real broker: rows arrive as the services decode them, JSON and Arrow alike; labels, watermarks, a broker that is away."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from tests.support.ports import free_port
from tests.support.servers import kafka_server
from tests.support.waiting import PATIENCE_SECONDS

from driftloop import AsyncProducer, Producer
from driftloop.adapters import kafka
from driftloop.contracts.column_types import COLUMN_TYPES
from driftloop.contracts.headers import is_arrow, watermark
from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.contracts.topics import stream_topics
from driftloop.errors import TransientError, UserError
from driftloop.ports import Record
from driftloop.producing import Failed
from driftloop.rows.labels import LabelDecoder
from driftloop.rows.requests import RequestDecoder

START = datetime(2026, 5, 1, 8, 0, 0, 250_000, tzinfo=UTC)
THERE = timezone(timedelta(hours=2))
VALUES = {
    "number": [1.5, -0.0, 1e308, 3, None],
    "integer": [0, 2**63 - 1, -(2**63), 7, None],
    "boolean": [True, False, True, False, None],
    "category": ["N", "", "é\U0001f695", '"\\\n', None],
    "datetime": [START, START.astimezone(THERE), datetime(1, 1, 3, tzinfo=UTC), datetime(9999, 12, 29, tzinfo=UTC), None],
}


def schema(stream: str) -> StreamSchema:
    features = tuple(Feature(name=f"a_{kind}", type=kind) for kind in COLUMN_TYPES)
    return StreamSchema(stream=stream, features=features, target=Target(name="late", type="boolean"))


def given() -> list[dict]:
    return [
        {f"a_{kind}": values[n] for kind, values in VALUES.items()}
        | {"event_id": f"e{n}", "event_time": START + timedelta(seconds=n), "entity": f"k{n % 2}"}
        for n in range(5)
    ]


@pytest.fixture
def stream(kafka_bootstrap: str, unique: str) -> StreamSchema:
    made = schema(f"s-{unique}")
    kafka.create_topics(kafka_bootstrap, stream_topics(made.stream))
    return made


@pytest.fixture
def producer(kafka_bootstrap: str, stream: StreamSchema) -> Iterator[Producer]:
    with Producer(schema=stream, kafka=kafka_bootstrap) as made:
        yield made


def records(bootstrap: str, stream: StreamSchema, what: str = "requests") -> list[Record]:
    return list(kafka.read_topic(bootstrap, f"{stream.stream}.{what}"))


def rows(bootstrap: str, stream: StreamSchema) -> dict[str, dict]:
    """By event id, as the predictor decodes them."""
    decoder = RequestDecoder(stream)
    found = [row for r in records(bootstrap, stream) if r.value is not None for row in decoder.decode(r).rows.to_pylist()]
    assert len({row["event_id"] for row in found}) == len(found)
    return {row["event_id"]: row for row in found}


def same(found: dict, row: dict) -> bool:
    return all(found[name] == value and (value is None) == (found[name] is None) for name, value in row.items())


def test_every_type_of_feature_arrives_as_the_value_that_it_was(kafka_bootstrap: str, stream: StreamSchema, producer: Producer) -> None:
    assert set(VALUES) == set(COLUMN_TYPES)
    for row in given():
        producer.send({**row, "event_id": f"json-{row['event_id']}"})
    producer.send_many([{**row, "event_id": f"rows-{row['event_id']}"} for row in given()])
    table = pa.Table.from_pylist(given(), RequestDecoder(stream).schema)
    ids = pa.array([f"arrow-{row['event_id']}" for row in given()])
    producer.send_many(table.set_column(0, "event_id", ids))
    assert producer.flush() == (15, 15, 0, 0, None)

    found = rows(kafka_bootstrap, stream)
    assert len(found) == 15
    for how in ("json", "rows", "arrow"):
        for row in given():
            assert same(found[f"{how}-{row['event_id']}"], {**row, "event_id": f"{how}-{row['event_id']}"})
    assert {is_arrow(r.headers) for r in records(kafka_bootstrap, stream)} == {True, False}
    partitions: dict[str, set[int]] = {}
    for r in records(kafka_bootstrap, stream):
        for entity in RequestDecoder(stream).decode(r).rows.column("entity").to_pylist():
            partitions.setdefault(entity, set()).add(r.partition)
    assert all(len(found) == 1 for found in partitions.values())  # however it was sent


def test_labels_and_watermarks_arrive(kafka_bootstrap: str, stream: StreamSchema, producer: Producer) -> None:
    producer.send(given()[0])
    producer.label("e0", True, event_time=START, label_time=START + timedelta(hours=1))
    producer.label("e1", False, event_time=START)
    producer.watermark(START)
    found = records(kafka_bootstrap, stream, "labels")
    labels = {label["event_id"]: label for r in found if r.value for label in LabelDecoder(stream).decode(r).to_pylist()}
    assert labels["e0"] == {"event_id": "e0", "event_time": START, "label": True, "label_time": START + timedelta(hours=1)}
    [without] = [r for r in found if r.key == b"e1"]
    assert labels["e1"]["label_time"] == datetime.fromtimestamp(without.timestamp_ms / 1000, UTC)
    for what in ("requests", "labels"):
        last = {r.partition: r for r in records(kafka_bootstrap, stream, what)}  # of each partition
        assert {p: watermark(r.headers) for p, r in last.items()} == dict.fromkeys(range(4), START)


def test_partitions_that_were_added_get_the_next_watermark(kafka_bootstrap: str, stream: StreamSchema, producer: Producer) -> None:
    kafka.add_partitions(kafka_bootstrap, {f"{stream.stream}.labels": 6})
    producer.watermark(START, of="labels")
    assert {r.partition for r in records(kafka_bootstrap, stream, "labels")} == set(range(6))


def test_what_is_refused_leaves_nothing(kafka_bootstrap: str, stream: StreamSchema, producer: Producer) -> None:
    with pytest.raises(UserError, match=r"field 'a_number': expected a number or null, got a string; nothing was sent"):
        producer.send({**given()[0], "a_number": "1"})
    with pytest.raises(UserError, match=r"row 1: field 'a_integer': expected a whole number or null, got a number; nothing was sent"):
        producer.send_many([given()[0], {**given()[1], "a_integer": 1.5}])
    producer.flush()
    assert records(kafka_bootstrap, stream) == []


def test_rows_of_several_threads_arrive_once(kafka_bootstrap: str, stream: StreamSchema) -> None:
    row = {name: value for name, value in given()[0].items() if name.startswith("a_")}
    with Producer(schema=stream, kafka=kafka_bootstrap, max_in_flight=50, block_seconds=PATIENCE_SECONDS) as producer:

        def send(thread: int) -> None:
            for n in range(300):
                producer.send(row, event_id=f"{thread}-{n}", entity=f"k{thread}")

        threads = [threading.Thread(target=send, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert producer.flush() == (1200, 1200, 0, 0, None)
    assert Counter(rows(kafka_bootstrap, stream).keys()) == Counter(f"{t}-{n}" for t in range(4) for n in range(300))


def test_rows_of_asyncio_arrive_while_the_loop_goes_on(kafka_bootstrap: str, stream: StreamSchema) -> None:
    row = {name: value for name, value in given()[0].items() if name.startswith("a_")}

    async def run() -> None:
        async with AsyncProducer(schema=stream, kafka=kafka_bootstrap, max_in_flight=20, block_seconds=PATIENCE_SECONDS) as producer:
            sent = await asyncio.gather(*(producer.send(row, event_id=f"e{n}") for n in range(200)))
            await asyncio.gather(*(asyncio.wrap_future(one.delivery) for one in sent))
            await producer.label("e0", True, event_time=START)
            await producer.watermark(START)
            assert await producer.flush() == (201, 201, 0, 0, None)

    asyncio.run(run())
    assert set(rows(kafka_bootstrap, stream)) == {f"e{n}" for n in range(200)}


def test_a_broker_that_is_away_is_one_sentence() -> None:
    port = free_port()
    with pytest.raises(TransientError, match=rf"127.0.0.1:{port}|connecting to Kafka"):
        Producer(schema=schema("s"), kafka=f"127.0.0.1:{port}", delivery_seconds=3)


def test_a_topic_that_is_not_there_is_named(kafka_bootstrap: str, unique: str) -> None:
    with pytest.raises(UserError, match=rf"topic none-{unique}\.requests does not exist; create it with: driftloop up --project DIR"):
        Producer(schema=schema(f"none-{unique}"), kafka=kafka_bootstrap)


def test_a_broker_that_goes_away_loses_nothing_without_a_word() -> None:
    failures: list[Failed] = []
    stream = schema("s")
    with ExitStack() as broker:
        bootstrap = broker.enter_context(kafka_server())
        kafka.create_topics(bootstrap, stream_topics(stream.stream))
        producer = Producer(schema=stream, kafka=bootstrap, delivery_seconds=15, on_failure=failures.append)
        producer.send(given()[0])
        before = producer.flush()
        broker.close()
        sent = [producer.send(row) for row in given()[1:]]
        report = producer.close()
    assert (before.sent, before.waiting) == (1, 0)
    assert (report.sent, report.waiting) == (5, 0)
    assert report.delivered == before.delivered
    assert report.failed == 4 + before.failed == sum(len(failed.event_ids) for failed in failures)
    assert {event_id for failed in failures for event_id in failed.event_ids} >= {one.event_id for one in sent}
    assert all(isinstance(one.delivery.exception(0), TransientError) for one in sent)
    assert all("not delivered to s.requests" in failed.reason or "without the broker's answer" in failed.reason for failed in failures)
    assert report.reason == failures[0].reason
