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

    def test_an_event_that_a_fold_breaks_down_over_is_passed_over_and_the_next_is_folded(self, world: World) -> None:
        class Broken(ToldIds):
            def add(self, event, about) -> None:
                if about.id == "a":
                    raise RuntimeError("a bug")
                super().add(event, about)

        world.say("a", "b")
        fold = Broken()
        follower = LogFollower(world.reader(fold), name="history").start()
        try:
            follower.sync()
            assert fold.ids == ["b"]
        finally:
            follower.stop()

    def test_a_reader_that_breaks_down_is_told_to_whoever_asks(self, world: World, fold: ToldIds, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(timeout_seconds: float) -> bool:
            raise RuntimeError("a bug")

        reader = world.reader(fold)
        monkeypatch.setattr(reader, "catch_up", broken)
        follower = LogFollower(reader, name="history").start()
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
