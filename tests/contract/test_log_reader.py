"""The rules of reading a control topic, over the broker in memory and over the real one."""

import pytest
from prometheus_client import REGISTRY
from tests.contract.log_world import InMemory, OnKafka, World
from tests.support.told_ids import ToldIds
from tests.support.waiting import wait_until

from driftloop.adapters.memory import MemoryBroker
from driftloop.errors import ConfigurationError, GapError, TransientError
from driftloop.history.events import Events
from driftloop.history.log_reader import LogReader, read_to_end
from driftloop.ports import TopicPartition


@pytest.fixture
def fold() -> ToldIds:
    return ToldIds()


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


class TestInMemory(InMemory, LogReaderContract):
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


class TestKafka(OnKafka, LogReaderContract):
    pass
