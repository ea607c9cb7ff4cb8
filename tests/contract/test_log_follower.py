"""Control topics followed by a thread, and their ends asked by any; over both brokers."""

import threading

import pytest
from tests.contract.log_world import InMemory, OnKafka, World
from tests.support.told_ids import ToldIds
from tests.support.waiting import wait_until

from driftloop.errors import TransientError
from driftloop.history.log_end import LogEnd
from driftloop.history.log_follower import LogFollower
from driftloop.ports import TopicPartition


@pytest.fixture
def fold() -> ToldIds:
    return ToldIds()


class LogFollowerContract:
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


class TestInMemory(InMemory, LogFollowerContract):
    pass


class TestKafka(OnKafka, LogFollowerContract):
    pass
