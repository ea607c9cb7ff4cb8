"""A producer on the broker in memory: ids, keys, types that are refused before they leave, room, reports, watermarks, forks."""

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from tests.support.traffic import START

import driftloop
from driftloop.adapters.memory import MemoryBroker
from driftloop.adapters.memory_reports import MemoryReportingProducer
from driftloop.contracts.column_types import COLUMN_TYPES
from driftloop.contracts.headers import is_arrow, watermark
from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.errors import TransientError, UserError
from driftloop.ports import Record
from driftloop.producing import AsyncProducer, Failed, Producer
from driftloop.rows.labels import LabelDecoder
from driftloop.rows.requests import RequestDecoder

FEATURES = tuple(Feature(name=f"a_{kind}", type=kind, required=False) for kind in COLUMN_TYPES)
SCHEMA = StreamSchema(stream="shop", features=(*FEATURES, Feature(name="n", type="number")), target=Target(name="late", type="boolean"))
PARTITIONS = 3
NAIVE = START.replace(tzinfo=None)


@pytest.fixture
def broker() -> MemoryBroker:
    made = MemoryBroker()
    for topic in ("shop.requests", "shop.labels"):
        made.create_topic(topic, PARTITIONS)
    return made


@pytest.fixture
def producer(broker: MemoryBroker) -> Iterator[Producer]:
    made = Producer(schema=SCHEMA, through=MemoryReportingProducer(broker))
    yield made
    made.close()


@pytest.fixture
def slow(broker: MemoryBroker) -> MemoryReportingProducer:
    return MemoryReportingProducer(broker, hold=True)


def rows(broker: MemoryBroker) -> list[dict]:
    decoder = RequestDecoder(SCHEMA)
    return [row for record in broker.records("shop.requests") for row in decoder.decode(record).rows.to_pylist()]


def record(broker: MemoryBroker, topic: str = "shop.requests") -> Record:
    [found] = broker.records(topic)
    return found


class TestRow:
    def test_it_is_what_the_service_decodes(self, producer: Producer, broker: MemoryBroker) -> None:
        sent = producer.send(
            {"event_id": "e", "n": 1, "a_integer": 2**53 + 1, "a_boolean": False, "a_category": "é", "a_datetime": START},
            event_time=START,
            entity="k",
        )
        assert sent.event_id == "e"
        assert sent.delivery.result(0) is None
        assert rows(broker) == [
            {
                "event_id": "e",
                "event_time": START,
                "entity": "k",
                "a_number": None,
                "a_integer": 2**53 + 1,
                "a_boolean": False,
                "a_category": "é",
                "a_datetime": START,
                "n": 1.0,
            }
        ]
        assert record(broker).key == b"k"
        assert not is_arrow(record(broker).headers)

    def test_id_time_and_key_are_made_where_they_are_absent(self, producer: Producer, broker: MemoryBroker) -> None:
        before = datetime.now(UTC)
        sent = producer.send({"n": 1.0})
        [row] = rows(broker)
        assert row["event_id"] == row["entity"] == sent.event_id == record(broker).key.decode()
        assert before <= row["event_time"] <= datetime.now(UTC)
        assert producer.send({"n": 1.0}).event_id != sent.event_id

    def test_numpy_values_and_other_zones_are_taken_for_what_they_are(self, producer: Producer, broker: MemoryBroker) -> None:
        there = START.astimezone(timezone(timedelta(hours=5, seconds=7)))
        producer.send(
            {"n": np.float32(0.5), "a_integer": np.int64(3), "a_boolean": np.True_, "a_category": np.str_("x"), "a_datetime": there}
        )
        [row] = rows(broker)
        assert (row["n"], row["a_integer"], row["a_boolean"], row["a_category"], row["a_datetime"]) == (0.5, 3, True, "x", START)

    @pytest.mark.parametrize(
        ("row", "said"),
        [
            ({}, "required field missing: 'n'"),
            ({"n": "3"}, "field 'n': expected a number or null, got a string"),
            ({"n": True}, "field 'n': expected a number or null, got true or false"),
            ({"n": float("nan")}, "field 'n' holds NaN or infinity"),
            ({"n": np.float64("-inf")}, "field 'n' holds NaN or infinity"),
            ({"n": Decimal("1.5")}, "field 'n' holds a Decimal: send a number"),
            ({"n": 1, "a_integer": 1.0}, "field 'a_integer': expected a whole number or null, got a number"),
            ({"n": 1, "a_integer": 2**63}, "field 'a_integer'"),
            ({"n": 1, "a_datetime": NAIVE}, "field 'a_datetime': a time without its offset from UTC"),
            ({"n": 1, "a_datetime": date(2026, 5, 1)}, "field 'a_datetime' holds a date"),
            ({"n": 1, "a_datetime": np.datetime64("2026-05-01")}, "field 'a_datetime' holds a datetime64"),
            ({"n": 1, "a_category": 7}, "field 'a_category': expected a string or null, got a whole number"),
            ({"n": 1, "a_category": "\ud800"}, "field 'a_category' is no text"),
            ({"n": 1, "a_category": ["x"]}, "field 'a_category' holds a list"),
            ({"n": 1, "a_numbr": 2.0}, "field 'a_numbr' is not in the stream's schema"),
            ({"n": 1, "event_id": ""}, "field 'event_id'"),
            ({"n": 1, "event_id": 7}, "field 'event_id'"),
            ({"n": 1, "entity": "k" * 513}, "field 'entity' is 513 bytes long; at most 512"),
            ({"n": 1, 3: 1}, "field 3 is not in the stream's schema"),
            ([("n", 1)], "a row is a mapping"),
            ({"n": 1, "a_category": "x" * 5_000_000}, "takes at most"),
        ],
    )
    def test_what_is_wrong_is_a_sentence_and_nothing_leaves(self, row, said: str, producer: Producer, broker: MemoryBroker) -> None:
        with pytest.raises(UserError) as refused:
            producer.send(row)
        assert said in str(refused.value)
        assert str(refused.value).endswith("nothing was sent")
        assert broker.records("shop.requests") == []
        assert producer.flush().sent == 0

    def test_two_ids_are_one_too_many(self, producer: Producer) -> None:
        with pytest.raises(UserError, match="field 'event_id' is 'a' in the row, and 'b' beside it"):
            producer.send({"n": 1, "event_id": "a"}, event_id="b")

    def test_unknown_fields_leave_when_that_is_said(self, broker: MemoryBroker) -> None:
        with Producer(schema=SCHEMA, through=MemoryReportingProducer(broker), unknown_fields=True) as producer:
            producer.send({"n": 1, "new": 2})
            producer.send_many(pa.table({"n": [1.0], "new": [2]}))
        assert [row["n"] for row in rows(broker)] == [1.0, 1.0]
        assert b'"new":2' in (broker.records("shop.requests")[0].value or b"") + (broker.records("shop.requests")[1].value or b"")


class TestBatch:
    def test_rows_of_an_entity_are_in_its_partition_in_their_order(self, producer: Producer, broker: MemoryBroker) -> None:
        given = [{"event_id": f"e{n}", "n": n, "entity": f"k{n % 7}", "event_time": START + timedelta(seconds=n)} for n in range(500)]
        sent = producer.send_many(given)
        assert sent.event_ids == tuple(row["event_id"] for row in given)
        assert len(sent.deliveries) == len(broker.records("shop.requests")) == PARTITIONS
        for found in broker.records("shop.requests"):
            assert is_arrow(found.headers)
            decoded = RequestDecoder(SCHEMA).decode(found).rows
            assert {sum(entity.encode()) % PARTITIONS for entity in decoded.column("entity").to_pylist()} == {found.partition}
            assert decoded.column("n").to_pylist() == sorted(decoded.column("n").to_pylist())
        assert Counter(row["event_id"] for row in rows(broker)) == Counter(sent.event_ids)
        assert producer.flush()[:2] == (500, 500)

    def test_a_table_says_the_same_as_its_rows(self, producer: Producer, broker: MemoryBroker) -> None:
        given = [
            {"event_id": "a", "event_time": START, "entity": "k", "n": 1.0, "a_integer": 4, "a_boolean": True, "a_category": "x"},
            {"event_id": "b", "event_time": START, "entity": "k", "n": None, "a_datetime": START},
        ]
        producer.send_many(given)
        producer.send_many(pa.Table.from_pylist(given, pa.schema([(f.name, f.type) for f in RequestDecoder(SCHEMA).schema])))
        for row in given:
            producer.send(row)
        [of_rows, of_table, a, b] = [RequestDecoder(SCHEMA).decode(r).rows.to_pylist() for r in broker.records("shop.requests")]
        assert of_rows == of_table == a + b

    def test_types_that_hold_the_same_values_are_brought_to_those_of_the_stream(self, producer: Producer, broker: MemoryBroker) -> None:
        producer.send_many(
            pa.table(
                {
                    "n": pa.array([1, None], pa.int32()),
                    "a_integer": pa.array([3, 4], pa.int16()),
                    "a_category": pa.array(["x", None]).dictionary_encode(),
                    "a_datetime": pa.array([START, None], pa.timestamp("ns", tz="Europe/Berlin")),
                    "event_id": pa.array(["a", None], pa.large_string()),
                }
            )
        )
        a, b = sorted(rows(broker), key=lambda row: row["a_integer"])
        assert (a["event_id"], a["n"], a["a_category"], a["a_datetime"]) == ("a", 1.0, "x", START)
        assert b["event_id"] == b["entity"] != "a"
        assert (b["n"], b["a_category"], b["a_datetime"]) == (None, None, None)

    @pytest.mark.parametrize(
        ("table", "said"),
        [
            (pa.table({"a_number": [1.0]}), "missing columns ['n']"),
            (pa.table({"n": ["1"]}), "column 'n' is string, expected double"),
            (pa.table({"n": [True]}), "column 'n' is bool, expected double"),
            (pa.table({"n": [float("nan")]}), "field 'n' holds NaN or infinity"),
            (pa.table({"n": [2**53 + 1]}), "field 'n'"),
            (pa.table({"n": [1.0], "a_datetime": [NAIVE]}), "column 'a_datetime' is timestamp[us], expected"),
            (pa.table({"n": [1.0], "other": [1]}), "field 'other' is not in the stream's schema"),
            (pa.table({"n": [1.0], "event_id": [7]}), "column 'event_id' is int64, expected string"),
            (pa.table([[1.0], [2.0]], names=["n", "n"]), "names a column twice"),
            (
                [{"n": 1.0}, {"n": "x"}, {"n": "y"}],
                "row 1: field 'n': expected a number or null, got a string (and 1 rows more are refused)",
            ),
            ([{"n": 1.0}, {"n": float("inf")}], "row 1: field 'n' holds NaN or infinity"),
        ],
        ids=range(11),
    )
    def test_one_wrong_row_keeps_the_batch_back(self, table, said: str, producer: Producer, broker: MemoryBroker) -> None:
        with pytest.raises(UserError) as refused:
            producer.send_many(table)
        assert said in str(refused.value)
        assert broker.records("shop.requests") == []

    def test_a_large_table_goes_in_messages_that_the_topic_takes(self, producer: Producer, broker: MemoryBroker) -> None:
        texts = ["x" * 1_500_000] * 4 + ["y"] * 2_000
        producer.send_many(pa.table({"n": pa.nulls(len(texts), pa.float64()), "a_category": texts, "entity": ["k"] * len(texts)}))
        found = broker.records("shop.requests")
        assert len(found) > 1
        assert all(len(r.value or b"") < 4 * 1024 * 1024 for r in found)
        assert [row["a_category"] for row in rows(broker)] == texts

    def test_no_rows_are_no_messages(self, producer: Producer, broker: MemoryBroker) -> None:
        assert producer.send_many([]) == ((), ())
        assert producer.send_many(pa.table({"n": pa.array([], pa.float64())})) == ((), ())
        assert broker.records("shop.requests") == []


class TestLabel:
    def test_it_is_what_ingest_decodes(self, producer: Producer, broker: MemoryBroker) -> None:
        producer.label("e", np.True_, event_time=START, label_time=START + timedelta(hours=1))
        found = record(broker, "shop.labels")
        assert found.key == b"e"
        expected = {"event_id": "e", "event_time": START, "label": True, "label_time": START + timedelta(hours=1)}
        assert LabelDecoder(SCHEMA).decode(found).to_pylist() == [expected]

    def test_without_a_label_time_it_is_the_brokers(self, producer: Producer, broker: MemoryBroker) -> None:
        producer.label("e", False, event_time=START)
        assert msgspec.json.decode(record(broker, "shop.labels").value).keys() == {"event_id", "event_time", "label"}

    @pytest.mark.parametrize(
        ("value", "said"),
        [(1, "field 'label': expected true or false, got a whole number"), (None, "field 'label': expected true or false")],
    )
    def test_what_is_no_label_is_refused(self, value, said: str, producer: Producer, broker: MemoryBroker) -> None:
        with pytest.raises(UserError) as refused:
            producer.label("e", value, event_time=START)
        assert said in str(refused.value)
        assert broker.records("shop.labels") == []


class TestWatermark:
    def test_every_partition_gets_it_after_what_was_sent_before(self, producer: Producer, broker: MemoryBroker) -> None:
        for n in range(20):
            producer.send({"n": n})
        producer.watermark(START)
        for topic in ("shop.requests", "shop.labels"):
            for tp in broker.partitions(topic):
                last = broker.read(tp, 0, 99)[-1]
                assert (last.value, watermark(last.headers)) == (None, START)
        producer.watermark(START, of="labels")
        assert len(broker.records("shop.labels")) == 2 * PARTITIONS
        assert producer.flush().sent == 20

    def test_one_without_an_offset_is_refused(self, producer: Producer) -> None:
        with pytest.raises(UserError, match="no offset from UTC"):
            producer.watermark(NAIVE)

    def test_none_is_sent_while_rows_wait(self, broker: MemoryBroker, slow: MemoryReportingProducer) -> None:
        producer = Producer(schema=SCHEMA, through=slow, delivery_seconds=-10)  # with the grace: no time at all
        producer.send({"n": 1})
        with pytest.raises(TransientError, match="1 rows and labels wait for the broker still: no watermark was sent"):
            producer.watermark(START)
        slow.answer()
        producer.close()
        assert len(broker.records("shop.requests")) == 1


class TestReport:
    def test_it_says_of_every_row_what_became_of_it(self, slow: MemoryReportingProducer) -> None:
        failures: list[Failed] = []
        producer = Producer(schema=SCHEMA, through=slow, on_failure=failures.append)
        a, b, _ = producer.send({"n": 1}), producer.label("e", True, event_time=START), producer.send({"n": 2})
        slow.answer()
        slow.answer(TransientError("not delivered to shop.labels: away"))
        assert producer.flush(0) == (3, 1, 1, 1, "not delivered to shop.labels: away")
        assert a.delivery.result(0) is None
        assert isinstance(b.delivery.exception(0), TransientError)
        assert [(f.topic, f.event_ids, f.reason) for f in failures] == [("shop.labels", ("e",), "not delivered to shop.labels: away")]
        report = producer.close(0)
        assert (report.sent, report.delivered, report.failed, report.waiting) == (3, 1, 2, 0)
        assert "closed after 0 s without the broker's answer" in failures[1].reason

    def test_a_block_that_loses_rows_raises_unless_somebody_was_told(self, slow: MemoryReportingProducer) -> None:
        with (
            pytest.raises(TransientError, match="1 of 1 rows and labels were not delivered: away"),
            Producer(schema=SCHEMA, through=slow) as p,
        ):
            p.send({"n": 1})
            slow.answer(TransientError("away"))
        with Producer(schema=SCHEMA, through=slow, on_failure=lambda _: None) as p:
            p.send({"n": 1})
            slow.answer(TransientError("away"))

    def test_a_callback_that_fails_changes_nothing(self, slow: MemoryReportingProducer) -> None:
        with Producer(schema=SCHEMA, through=slow, on_failure=lambda _: 1 / 0) as p:
            p.send({"n": 1})
            slow.answer(TransientError("away"))
            assert p.flush().failed == 1

    def test_a_row_that_could_not_be_handed_over_counts_as_failed(self, broker: MemoryBroker, producer: Producer) -> None:
        broker.delete_topic("shop.labels")
        broker.create_topic("shop.labels", PARTITIONS)
        entered = producer.label("e", True, event_time=START)
        assert entered.delivery.exception(0) is None
        broker.delete_topic("shop.labels")
        with pytest.raises(UserError, match=r"topic shop\.labels does not exist"):
            producer.label("e", True, event_time=START)
        assert producer.flush()[:4] == (1, 1, 0, 0)

    def test_one_that_is_left_open_loses_nothing_without_a_word(self, slow: MemoryReportingProducer, caplog) -> None:
        producer = Producer(schema=SCHEMA, through=slow, delivery_seconds=-10)
        producer.send({"n": 1})
        del producer
        assert "producer-left-open" in caplog.text


class TestRoom:
    def test_send_waits_for_it(self, slow: MemoryReportingProducer, broker: MemoryBroker) -> None:
        producer = Producer(schema=SCHEMA, through=slow, max_in_flight=2, block_seconds=600)
        producer.send({"n": 0})
        producer.send({"n": 1})
        third = threading.Thread(target=producer.send, args=({"n": 2},))
        third.start()
        assert len(slow._held) == 2
        slow.answer()
        third.join()
        for _ in range(2):
            slow.answer()
        assert producer.close()[:2] == (3, 3)
        assert [row["n"] for row in sorted(rows(broker), key=lambda row: row["n"])] == [0, 1, 2]

    def test_and_says_when_there_is_none_in_time(self, slow: MemoryReportingProducer) -> None:
        producer = Producer(schema=SCHEMA, through=slow, max_in_flight_bytes=10, block_seconds=0.01, delivery_seconds=-10)
        producer.send({"n": 0})  # larger than all room: alone
        with pytest.raises(TransientError, match=r"1 messages of \d+ bytes wait for the broker, .* nothing of this was sent"):
            producer.send({"n": 1})
        slow.answer()
        producer.send({"n": 1})
        slow.answer()
        assert producer.close()[:4] == (2, 2, 0, 0)

    def test_who_waits_is_told_of_the_end(self, slow: MemoryReportingProducer) -> None:
        producer = Producer(schema=SCHEMA, through=slow, max_in_flight=1, block_seconds=600)
        producer.send({"n": 0})
        told: list[str] = []

        def send() -> None:
            try:
                producer.send({"n": 1})
            except UserError as exc:
                told.append(str(exc))

        waiting = threading.Thread(target=send)
        waiting.start()
        producer.close(0)
        waiting.join()
        assert told == ["this producer is closed: nothing was sent; make another"]


class TestThreads:
    def test_all_rows_of_several_arrive_once(self, producer: Producer, broker: MemoryBroker) -> None:
        def send(thread: int) -> None:
            for n in range(200):
                producer.send({"n": n, "event_id": f"{thread}-{n}", "entity": f"k{thread}"})
                producer.label(f"{thread}-{n}", True, event_time=START)

        threads = [threading.Thread(target=send, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert producer.flush() == (3200, 3200, 0, 0, None)
        assert Counter(row["event_id"] for row in rows(broker)) == Counter(f"{t}-{n}" for t in range(8) for n in range(200))

    def test_a_fork_is_told_to_make_its_own(self, producer: Producer) -> None:
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            try:
                producer.send({"n": 1})
            except UserError as exc:
                os.write(writer, str(exc).encode())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        assert f"made in process {os.getpid()}, and a fork takes no connection along" in os.read(reader, 1000).decode()
        for end in (reader, writer):
            os.close(end)

    def test_nothing_is_sent_after_the_end(self, producer: Producer) -> None:
        producer.close()
        for call in (lambda: producer.send({"n": 1}), lambda: producer.send_many([]), lambda: producer.watermark(START)):
            with pytest.raises(UserError, match="this producer is closed"):
                call()
        assert producer.close() == producer.flush() == (0, 0, 0, 0, None)


class TestAsyncio:
    def test_the_loop_goes_on_while_there_is_no_room(self, slow: MemoryReportingProducer, broker: MemoryBroker) -> None:
        async def run() -> tuple[int, int]:
            async with AsyncProducer(schema=SCHEMA, through=slow, max_in_flight=1, block_seconds=600) as producer:
                first = await producer.send({"n": 0})
                second = asyncio.create_task(producer.send({"n": 1}))
                for _ in range(10):
                    await asyncio.sleep(0.001)
                assert not second.done()
                slow.answer()
                await asyncio.wrap_future(first.delivery)
                sent = await second
                slow.answer()
                await asyncio.wrap_future(sent.delivery)
                report = await producer.flush()
                return report.sent, report.delivered

        assert asyncio.run(run()) == (2, 2)

    def test_calls_keep_their_order_and_refusals_their_sentence(self, broker: MemoryBroker) -> None:
        async def run() -> None:
            through = MemoryReportingProducer(broker)
            async with AsyncProducer(schema=SCHEMA, through=through) as producer:
                await asyncio.gather(*(producer.send({"n": n}, entity="k") for n in range(100)))
                await producer.send_many([{"n": 100, "entity": "k"}])
                await producer.label("e", True, event_time=START)
                await producer.watermark(START)
                with pytest.raises(UserError, match="field 'n'"):
                    await producer.send({"n": "x"})
                assert (await producer.close()).delivered == 102
                with pytest.raises(UserError, match="closed"):
                    await producer.send({"n": 1})

        asyncio.run(run())
        of_k = [r for r in broker.records("shop.requests") if r.value is not None]
        assert [row["n"] for r in of_k for row in RequestDecoder(SCHEMA).decode(r).rows.to_pylist()] == list(range(101))

    def test_before_it_is_open_it_says_how(self) -> None:
        with pytest.raises(UserError, match="async with AsyncProducer"):
            asyncio.run(AsyncProducer(schema=SCHEMA).send({"n": 1}))


class TestDestination:
    def test_both_are_exported(self) -> None:
        assert (driftloop.Producer, driftloop.AsyncProducer) == (Producer, AsyncProducer)

    def test_of_a_projects_folder(self, tmp_path, broker: MemoryBroker) -> None:
        (tmp_path / "driftloop.toml").write_text(
            '[project]\nname = "shop"\nmodel = "m"\n[stream]\nname = "shop"\n[features]\nn = "number"\n'
            '[target]\nname = "late"\ntype = "boolean"\nmetric = "roc_auc"\n[windows]\nevery = "7d"\n'
        )
        (tmp_path / "pipeline.py").write_text("def build(): ...\n")
        with Producer(project=tmp_path, through=MemoryReportingProducer(broker)) as producer:
            producer.send({"n": 1})
        assert len(broker.records("shop.requests")) == 1
        with pytest.raises(UserError, match="the schema is that of stream 'shop', and not of 'other'"):
            Producer("other", project=tmp_path, through=MemoryReportingProducer(broker))

    def test_without_a_name_it_says_what_to_give(self) -> None:
        with pytest.raises(UserError, match="name the stream"):
            Producer()

    def test_of_the_environment_only_what_is_used_is_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DRIFTLOOP_CLI_KAFKA_BOOTSTRAP", "127.0.0.1")
        with pytest.raises(UserError, match=r"DRIFTLOOP_CLI_KAFKA_BOOTSTRAP='127\.0\.0\.1' must be host:port"):
            Producer(schema=SCHEMA)
        with pytest.raises(UserError, match=r"DRIFTLOOP_CLI_REGISTRY_URL.*Producer\(project=DIR\)"):
            Producer("shop")

    def test_a_topic_that_is_missing_is_named(self, broker: MemoryBroker) -> None:
        broker.delete_topic("shop.labels")
        with pytest.raises(UserError, match=r"topic shop\.labels does not exist"):
            Producer(schema=SCHEMA, through=MemoryReportingProducer(broker))
