"""What a producer sends: ids, keys, types that are refused before they leave, batches, labels, watermarks."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from tests.support.traffic import START
from tests.unit.producing.shop import NAIVE, PARTITIONS, SCHEMA, record, rows

from driftloop.adapters.memory import MemoryBroker
from driftloop.adapters.memory_reports import MemoryReportingProducer
from driftloop.contracts.headers import is_arrow, watermark
from driftloop.errors import TransientError, UserError
from driftloop.producing import Producer
from driftloop.rows.labels import LabelDecoder
from driftloop.rows.requests import RequestDecoder


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


class TestMisuse:
    """A sentence, and nothing leaves."""

    @pytest.mark.parametrize("time", [None, "2026-05-01T08:00:00Z", date(2026, 5, 1)])
    def test_a_watermark_is_a_datetime(self, producer: Producer, broker: MemoryBroker, time: Any) -> None:
        with pytest.raises(UserError, match="a watermark is a moment, a datetime with its offset from UTC, not a "):
            producer.watermark(time)
        assert not broker.records("shop.requests")

    def test_a_watermark_is_of_a_topic_that_there_is(self, producer: Producer) -> None:
        with pytest.raises(UserError, match="not of 'both'; nothing was sent"):
            producer.watermark(START, of="both")  # type: ignore[arg-type]

    @pytest.mark.parametrize("given", [None, 5, {"n": 1}])
    def test_several_rows_are_several(self, producer: Producer, given: Any) -> None:
        with pytest.raises(UserError, match="send_many takes an Arrow table, or rows one after another, not a "):
            producer.send_many(given)

    @pytest.mark.parametrize("bound", ["max_in_flight", "max_in_flight_bytes"])
    def test_room_for_nothing_is_refused_at_once(self, broker: MemoryBroker, bound: str) -> None:
        with pytest.raises(UserError, match="are 1 at least: with less no message ever leaves"):
            Producer(schema=SCHEMA, through=MemoryReportingProducer(broker), **{bound: 0})  # type: ignore[arg-type]
