"""A reader that starts goes on from its checkpoint, and only from one that it can believe; over both brokers."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.contract.log_world import InMemory, OnKafka, World
from tests.support.told_ids import ToldIds
from tests.support.waiting import PATIENCE_SECONDS

from driftloop.history import log_reader

Damage = Callable[[bytes], bytes]


@pytest.fixture
def fold() -> ToldIds:
    return ToldIds()


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint after every record."""
    monkeypatch.setattr(log_reader, "STORE_AT_END", 1)


class CheckpointContract:
    def test_a_checkpoint_behind_an_aborted_transaction_is_believed(self, world: World, fold: ToldIds, often: None, tmp_path: Path) -> None:
        world.say("a")
        world.abort(world.names[0], 300)
        world.reader(fold, tmp_path / "checkpoint").sync()
        again = ToldIds()
        world.say("b")
        world.reader(again, tmp_path / "checkpoint").sync()
        assert (again.ids, again.added, again.resets) == (["a", "b"], 1, 0)

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


class TestInMemory(InMemory, CheckpointContract):
    pass


class TestKafka(OnKafka, CheckpointContract):
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
        assert child.wait(PATIENCE_SECONDS) == -signal.SIGKILL
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
from tests.support.waiting import PATIENCE_SECONDS
bootstrap, path, *names = sys.argv[1:]
log_reader.STORE_AT_END = 1
reader = log_reader.LogReader(KafkaTopics(bootstrap, client_id="child"), names, Events(ToldIds()), checkpoint=Checkpoint(Path(path)))
reader.sync()
print("synced", flush=True)
sys.stdin.readline()
reader.sync()
"""
