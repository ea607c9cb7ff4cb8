"""What becomes of what a producer was given: reports, room, threads, asyncio, forks, and where it goes."""

import asyncio
import os
import threading
from collections import Counter

import pytest
from tests.support.traffic import START
from tests.unit.producing.shop import PARTITIONS, SCHEMA, rows

import driftloop
from driftloop.adapters.memory import MemoryBroker
from driftloop.adapters.memory_reports import MemoryReportingProducer
from driftloop.errors import TransientError, UserError
from driftloop.producing import AsyncProducer, Failed, Producer
from driftloop.rows.requests import RequestDecoder


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
