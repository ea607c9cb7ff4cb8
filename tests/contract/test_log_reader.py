"""The rules of reading a control topic, over the broker in memory and over the real one."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from tests.support.clients import abort_transaction
from tests.support.told_ids import ToldIds
from tests.support.waiting import wait_until

from driftloop.adapters import kafka
from driftloop.adapters.kafka_admin import _admin
from driftloop.adapters.memory import MemoryBroker
from driftloop.contracts.codec import encode_event, envelope
from driftloop.contracts.events import RetrainRequested
from driftloop.contracts.topics import Topic
from driftloop.errors import ConfigurationError, GapError, TransientError
from driftloop.history import log_reader
from driftloop.history.checkpoint import Checkpoint
from driftloop.history.events import Events
from driftloop.history.log_end import LogEnd
from driftloop.history.log_follower import LogFollower
from driftloop.history.log_reader import LogReader, read_to_end
from driftloop.ports import MessageProducer, TopicPartition, Topics

Damage = Callable[[bytes], bytes]
EVENT = RetrainRequested(model="m", reason="manual", detail="", requested_by="test")


class World:
    """Two topics of two partitions, and somebody who writes to them."""

    def __init__(
        self,
        topics: Topics,
        producer: MessageProducer,
        create: Callable[[str], None],
        delete: Callable[[str], None],
        abort: Callable[[str, int], None],
        unique: str,
    ):
        """``abort``: leaves so many records of an aborted transaction in the first partition of a topic."""
        self.topics, self.producer, self.create, self.delete, self.abort = topics, producer, create, delete, abort
        self.names = (f"asked-{unique}", f"run-{unique}")
        for name in self.names:
            create(name)

    def say(self, *ids: str, topic: int = 0, partition: int = 0) -> None:
        for event_id in ids:
            value, headers = encode_event(EVENT, envelope(EVENT, id=event_id, source="test", subject="m"))
            self.producer.send(self.names[topic], value, partition=partition, headers=headers)
        self.producer.flush()

    def say_rubbish(self, topic: int = 0) -> None:
        self.producer.send(self.names[topic], b"rubbish", partition=0)
        self.producer.flush()

    def make_anew(self, topic: int = 0) -> None:
        self.delete(self.names[topic])
        self.create(self.names[topic])

    def reader(self, fold: ToldIds, path: Path | None = None, **options: bool) -> LogReader:
        return LogReader(self.topics, self.names, Events(fold), checkpoint=None if path is None else Checkpoint(path), **options)


@pytest.fixture
def fold() -> ToldIds:
    return ToldIds()


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint after every record."""
    monkeypatch.setattr(log_reader, "STORE_AT_END", 1)


class LogReaderContract:
    def test_a_log_that_ends_in_an_aborted_transaction_is_read_to_its_end(self, world: World, fold: ToldIds) -> None:
        reader = world.reader(fold)
        world.say("a")
        for name in world.names:
            world.abort(name, 300)
        reader.sync()
        world.say("b")
        reader.sync()
        assert fold.ids == ["a", "b"]

    def test_a_checkpoint_behind_an_aborted_transaction_is_believed(self, world: World, fold: ToldIds, often: None, tmp_path: Path) -> None:
        world.say("a")
        world.abort(world.names[0], 300)
        world.reader(fold, tmp_path / "checkpoint").sync()
        again = ToldIds()
        world.say("b")
        world.reader(again, tmp_path / "checkpoint").sync()
        assert (again.ids, again.added, again.resets) == (["a", "b"], 1, 0)

    def test_every_record_is_folded_once_and_in_the_order_of_its_partition(self, world: World, fold: ToldIds) -> None:
        reader = world.reader(fold)
        world.say("a", "b", "c")
        world.say("x", partition=1)
        world.say("r", topic=1)
        reader.sync()
        reader.sync()
        world.say("d")
        reader.sync()
        assert sorted(fold.ids) == ["a", "b", "c", "d", "r", "x"]
        assert [i for i in fold.ids if i in "abcd"] == ["a", "b", "c", "d"]
        reader.close()
        world.say("e")
        reader.sync()
        assert fold.ids[-1] == "e"
        assert fold.added == 7
        reader.close()

    def test_what_is_unreadable_is_counted_by_its_topic_and_passed_over(self, world: World, fold: ToldIds) -> None:
        def counted() -> float:
            return REGISTRY.get_sample_value("driftloop_unreadable_records_total", {"topic": world.names[0]}) or 0.0

        world.say("a")
        world.say_rubbish()
        world.say_rubbish()
        world.say("b")
        read_to_end(world.topics, world.names, Events(fold))
        assert fold.ids == ["a", "b"]
        assert counted() == 2

    def test_the_first_record_of_an_id_stands(self, world: World, fold: ToldIds) -> None:
        world.say("a", "b", "a")
        world.say("b", topic=1)
        read_to_end(world.topics, world.names, Events(fold))
        assert sorted(fold.ids) == ["a", "b"]

    @pytest.mark.parametrize("more", [1, 5])
    def test_a_topic_made_anew_starts_all_over(self, world: World, fold: ToldIds, more: int) -> None:
        """Also when the new one holds the offset that would have come next."""
        reader = world.reader(fold)
        world.say("a", "b", "c")
        world.say("r", topic=1)
        reader.sync()
        world.make_anew()
        world.say(*(f"new{n}" for n in range(more)))

        def synced() -> bool:
            try:
                reader.sync()
            except TransientError:  # the broker may refuse to read on before it says why
                return False
            return True

        wait_until(synced, "the topics to be read again")
        assert sorted(fold.ids) == [*(f"new{n}" for n in range(more)), "r"]
        assert fold.resets == 1
        reader.close()

    def test_a_log_that_may_not_be_lost_is_an_error_and_the_fold_stays(self, world: World, fold: ToldIds) -> None:
        reader = world.reader(fold, start_over=False)
        world.say("a", "b", "c")
        reader.sync()
        world.make_anew()
        world.say("new")

        def refused() -> bool:
            try:
                reader.sync()
            except TransientError:
                return False
            except GapError:
                return True
            pytest.fail("it was read")

        wait_until(refused, "the loss to be noticed")
        with pytest.raises(GapError, match="was made anew"):
            reader.sync()
        assert (fold.ids, fold.resets) == (["a", "b", "c"], 0)

    def test_a_missing_topic_is_named(self, world: World, fold: ToldIds) -> None:
        world.delete(world.names[1])
        with pytest.raises(ConfigurationError, match=f"{world.names[1]} does not exist"):
            world.reader(fold).sync()

    def test_a_start_goes_on_from_the_checkpoint(self, world: World, fold: ToldIds, often: None, tmp_path: Path) -> None:
        first, path = world.reader(ToldIds(), tmp_path / "f" / "checkpoint"), tmp_path / "f" / "checkpoint"
        world.say("a", "b")
        world.say("r", topic=1)
        first.sync()
        first.close()
        world.say("c", "a")
        second = world.reader(fold, path)
        second.sync()
        assert fold.added == 1
        assert sorted(fold.ids) == ["a", "b", "c", "r"]
        second.close()

    def test_a_checkpoint_of_few_records_is_not_written(self, world: World, fold: ToldIds, tmp_path: Path) -> None:
        world.say("a", "b")
        reader = world.reader(fold, tmp_path / "checkpoint")
        reader.sync()
        reader.close()
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        "damage", [lambda whole: whole[:-1], lambda whole: b"", lambda whole: whole.replace(b'["a","b"]', b'["a","z"]')]
    )
    def test_a_damaged_checkpoint_is_not_believed(self, world: World, fold: ToldIds, often: None, tmp_path: Path, damage: Damage) -> None:
        path = tmp_path / "checkpoint"
        world.say("a", "b")
        first = world.reader(ToldIds(), path)
        first.sync()
        first.close()
        whole = path.read_bytes()
        assert damage(whole) != whole
        path.write_bytes(damage(whole))
        second = world.reader(fold, path)
        second.sync()
        assert (fold.added, fold.ids) == (2, ["a", "b"])
        assert path.read_bytes() == whole  # it was written anew
        second.close()

    def test_a_checkpoint_of_other_code_is_not_believed(
        self, world: World, fold: ToldIds, often: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "checkpoint"
        world.say("a")
        first = world.reader(ToldIds(), path)
        first.sync()
        first.close()
        monkeypatch.setattr("driftloop.history.checkpoint._code", lambda: "other")
        second = world.reader(fold, path)
        second.sync()
        assert fold.added == 1
        second.close()

    @pytest.mark.parametrize("start_over", [True, False])
    def test_a_checkpoint_of_a_topic_made_anew_since_is_not_believed(
        self, world: World, fold: ToldIds, often: None, tmp_path: Path, start_over: bool
    ) -> None:
        path = tmp_path / "checkpoint"
        world.say("a", "b")
        first = world.reader(ToldIds(), path)
        first.sync()
        first.close()
        world.make_anew()
        world.say("x", "y", "z")
        second = world.reader(fold, path, start_over=start_over)
        second.sync()
        assert fold.ids == ["x", "y", "z"]
        second.close()

    def test_a_state_folder_that_cannot_be_written_costs_nothing_but_the_checkpoint(
        self, world: World, fold: ToldIds, often: None, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("no folder")
        world.say("a")
        reader = world.reader(fold, tmp_path / "file" / "checkpoint")
        reader.sync()
        assert fold.ids == ["a"]
        reader.close()

    def test_a_follower_holds_all_that_was_said_before_it_was_asked(self, world: World, fold: ToldIds) -> None:
        follower = LogFollower(world.reader(fold), name="history").start()
        try:
            world.say("a")
            wait_until(lambda: fold.ids == ["a"], "the first event, without being asked")
            for n in range(5):
                world.say(f"n{n}", topic=n % 2)
                follower.sync()
                assert fold.ids[-1] == f"n{n}"
        finally:
            follower.stop()

    def test_a_follower_of_a_missing_topic_says_so_and_goes_on_when_it_is_there(self, world: World, fold: ToldIds) -> None:
        world.delete(world.names[1])
        follower = LogFollower(world.reader(fold), name="history").start()
        try:
            with pytest.raises(TransientError, match=f"not up to date within 3 s: topic {world.names[1]} does not exist"):
                follower.sync(3)
            world.create(world.names[1])
            world.say("r", topic=1)
            follower.sync()
            assert fold.ids == ["r"]
        finally:
            follower.stop()

    def test_a_fold_that_breaks_down_is_told_to_whoever_asks(self, world: World) -> None:
        class Broken(ToldIds):
            def add(self, event, about) -> None:
                raise RuntimeError("a bug")

        world.say("a")
        follower = LogFollower(world.reader(Broken()), name="history").start()
        try:
            with pytest.raises(RuntimeError, match="a bug"):
                follower.sync()
        finally:
            follower.stop()

    def test_the_end_of_a_log_is_told_to_any_thread(self, world: World) -> None:
        end = LogEnd(world.topics, TopicPartition(world.names[0], 1))
        assert end.offset() == 0
        world.say("a", "b", partition=1)
        found: list[int] = []
        threads = [threading.Thread(target=lambda: found.append(end.offset())) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [2, 2, 2, 2]
        end.close()
        assert end.offset() == 2
        end.close()


class TestInMemory(LogReaderContract):
    @pytest.fixture
    def broker(self) -> MemoryBroker:
        return MemoryBroker()

    @pytest.fixture
    def world(self, broker: MemoryBroker, unique: str) -> World:
        def abort(name: str, records: int) -> None:
            broker.abort(TopicPartition(name, 0), records)

        return World(broker, broker.producer(), lambda name: broker.create_topic(name, 2), broker.delete_topic, abort, unique)

    def test_records_that_expire_unread_start_all_over(self, broker: MemoryBroker, world: World, fold: ToldIds) -> None:
        reader = world.reader(fold)
        world.say("a")
        reader.sync()
        world.say("b", "c", "d")
        broker.expire(TopicPartition(world.names[0], 0), 3)
        reader.sync()
        assert (fold.ids, fold.resets) == (["d"], 1)

    def test_a_reader_begins_where_the_topic_does(self, broker: MemoryBroker, world: World, fold: ToldIds) -> None:
        world.say("a", "b", "c")
        broker.expire(TopicPartition(world.names[0], 0), 2)
        world.reader(fold).sync()
        assert (fold.ids, fold.resets) == (["c"], 0)

    def test_a_reader_that_loses_the_broker_goes_on_where_it_was(self, broker: MemoryBroker, world: World, fold: ToldIds) -> None:
        class Unreliable:
            away = False

            def describe(self, names):
                if self.away:
                    raise TransientError("away")
                return broker.describe(names)

            def reader(self, tps):
                return broker.reader(tps)

        unreliable = Unreliable()
        reader = LogReader(unreliable, world.names, Events(fold))
        world.say("a")
        reader.sync()
        reader.close()
        unreliable.away = True
        with pytest.raises(TransientError, match="away"):
            reader.sync()
        unreliable.away = False
        world.say("b")
        reader.sync()
        assert (fold.ids, fold.added) == (["a", "b"], 2)

    def test_a_log_that_says_nothing_is_given_up_in_time(self, broker: MemoryBroker, world: World, fold: ToldIds) -> None:
        world.say("a")
        broker.read_on = lambda tp, offset, most: ([], offset)
        with pytest.raises(TransientError, match=r"nothing came for 0\.5 s"):
            world.reader(fold).sync(0.5)


class TestKafka(LogReaderContract):
    @pytest.fixture
    def world(self, kafka_bootstrap: str, unique: str) -> Iterator[World]:
        def create(name: str) -> None:
            spec = Topic(name=name, partitions=2, key="", carries="", written_by=(), read_by=(), plane="control")
            wait_until(lambda: created(spec), f"{name} to be made")

        def created(spec: Topic) -> bool:
            kafka.create_topics(kafka_bootstrap, [spec])
            try:
                return kafka.partitions_of(kafka_bootstrap, spec.name) == 2
            except ConfigurationError:  # it is still being deleted
                return False

        def delete(name: str) -> None:
            with _admin(kafka_bootstrap, "deleting a topic") as admin:
                admin.delete_topics([name])

        def abort(name: str, records: int) -> None:
            abort_transaction(kafka_bootstrap, name, records)

        producer = kafka.Producer(kafka_bootstrap, client_id="test")
        yield World(kafka.KafkaTopics(kafka_bootstrap, client_id="test"), producer, create, delete, abort, unique)
        producer.close()

    def test_a_reader_that_is_killed_while_it_stores_goes_on_from_the_checkpoint_before(
        self, kafka_bootstrap: str, world: World, fold: ToldIds, tmp_path: Path
    ) -> None:
        path = tmp_path / "checkpoint"
        world.say("a", "b")
        env = {**os.environ, "DRIFTLOOP_CRASH_POINT": "checkpoint.before-replace:2"}
        child = subprocess.Popen(
            [sys.executable, "-c", KILLED, kafka_bootstrap, str(path), *world.names], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == b"synced\n"
        world.say("c", "d")
        child.stdin.write(b"again\n")
        child.stdin.close()
        assert child.wait(timeout=60) == -signal.SIGKILL
        child.stdout.close()
        assert {found.name for found in tmp_path.iterdir()} == {"checkpoint", ".checkpoint.partial"}
        reader = world.reader(fold, path)
        reader.sync()
        assert (fold.ids, fold.added) == (["a", "b", "c", "d"], 2)
        reader.close()


KILLED = """
import sys
from driftloop.adapters.kafka import KafkaTopics
from driftloop.history import log_reader
from driftloop.history.checkpoint import Checkpoint
from driftloop.history.events import Events
from pathlib import Path
from tests.support.told_ids import ToldIds
bootstrap, path, *names = sys.argv[1:]
log_reader.STORE_AT_END = 1
reader = log_reader.LogReader(KafkaTopics(bootstrap, client_id="child"), names, Events(ToldIds()), checkpoint=Checkpoint(Path(path)))
reader.sync()
print("synced", flush=True)
sys.stdin.readline()
reader.sync()
"""
