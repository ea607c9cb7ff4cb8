"""An event that is delivered again is handled once: over restarts, within a bound, whatever becomes of the file."""

import os
import sqlite3
from pathlib import Path

import pytest
from tests.unit.service.event_scene import TP, Scene

from driftloop.contracts.codec import Envelope
from driftloop.contracts.events import TrainingFailed
from driftloop.errors import ConfigurationError, TransientError
from driftloop.service.handled_events import HandledEventsFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notifier-0" / "handled-events.sqlite"


def test_an_id_is_remembered_over_a_restart(path: Path) -> None:
    HandledEventsFile(path).add("one")  # never closed: as a process that is killed leaves it
    again = HandledEventsFile(path)
    assert "one" in again
    assert "two" not in again


def test_an_id_that_is_added_twice_is_one(path: Path) -> None:
    handled = HandledEventsFile(path, keep=2)
    for event_id in ("one", "two", "two", "two"):
        handled.add(event_id)
    assert "one" in handled
    assert "two" in handled


def test_the_newest_ids_are_kept_and_no_more(path: Path) -> None:
    handled = HandledEventsFile(path, keep=3)
    for n in range(10):
        handled.add(str(n))
    assert [n for n in range(10) if str(n) in handled] == [7, 8, 9]
    handled.close()
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM handled").fetchone() == (3,)
    db.close()


@pytest.mark.parametrize("damage", ["no database", "another database", "truncated"])
def test_a_damaged_file_is_begun_anew_and_the_step_repeated(path: Path, damage: str) -> None:
    before = HandledEventsFile(path)
    before.add("one")
    before.close()
    if damage == "no database":
        path.write_bytes(b"not SQLite at all, but long enough to look at" * 100)
    elif damage == "another database":
        path.unlink()
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE handled (something INTEGER)")
        db.close()
    else:
        os.truncate(path, 5000)
    after = HandledEventsFile(path)
    with pytest.raises(TransientError, match="the ids of handled events in "):
        "one" in after  # noqa: B015 - asks
    assert "one" not in after
    after.add("two")
    assert "two" in after


def test_a_file_that_cannot_be_written_now_is_kept_and_waited_for(path: Path) -> None:
    handled = HandledEventsFile(path)
    handled.add("one")
    blocker = sqlite3.connect(path, isolation_level=None)  # somebody looks at it with a tool of their own
    blocker.execute("BEGIN EXCLUSIVE")
    with pytest.raises(TransientError):
        handled.add("two")
    blocker.execute("ROLLBACK")
    blocker.close()
    handled.add("two")
    assert "one" in handled
    assert "two" in handled


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(ConfigurationError, match=r"the state directory cannot be written: .*state/notifier-0: Not a directory"):
        HandledEventsFile(tmp_path / "state" / "notifier-0" / "handled-events.sqlite")


class Forgetful:
    """Cannot keep an id at first."""

    def __init__(self, failures: int) -> None:
        self.failures, self.ids = failures, set[str]()

    def __contains__(self, event_id: str) -> bool:
        return event_id in self.ids

    def add(self, event_id: str) -> None:
        if self.failures:
            self.failures -= 1
            raise TransientError("disk full")
        self.ids.add(event_id)


def handling(seen: list[str]):
    def handle(event: TrainingFailed, about: Envelope) -> None:
        seen.append(about.id)

    return handle


def test_an_event_that_is_sent_twice_is_handled_once(path: Path) -> None:
    seen: list[str] = []
    scene = Scene(handling(seen), handled=HandledEventsFile(path))
    scene.publish(2)
    scene.publish(2)  # the same ids
    scene.run_until(lambda: scene.committed == 4)
    assert seen == ["0", "1"]


def test_an_event_whose_offset_was_not_committed_is_handled_once_by_the_next_process(path: Path) -> None:
    seen: list[str] = []
    first = Scene(handling(seen), handled=HandledEventsFile(path))
    first.publish(3)
    first.run_until(lambda: first.committed == 3)
    second = Scene(handling(seen), handled=HandledEventsFile(path), broker=first.broker)
    second.broker.committed[("g", TP)] = 1
    second.run_until(lambda: second.committed == 3)
    assert seen == ["0", "1", "2"]


def test_an_id_that_cannot_be_kept_yet_repeats_the_keeping_and_not_the_handler() -> None:
    seen: list[str] = []
    handled = Forgetful(failures=3)
    scene = Scene(handling(seen), handled=handled)
    scene.publish()
    scene.run_until(lambda: scene.committed == 1)
    assert seen == ["0"]
    assert handled.ids == {"0"}


def test_a_handler_that_fails_is_repeated_and_only_then_remembered() -> None:
    attempts: list[str] = []
    handled = Forgetful(failures=0)

    def handle(event: TrainingFailed, about: Envelope) -> None:
        assert about.id not in handled
        attempts.append(about.id)
        if len(attempts) < 3:
            raise TransientError("mail server away")

    scene = Scene(handle, handled=handled)
    scene.publish()
    scene.run_until(lambda: scene.committed == 1)
    assert attempts == ["0"] * 3
    assert handled.ids == {"0"}


def test_without_a_memory_every_delivery_is_handled() -> None:
    seen: list[str] = []
    scene = Scene(handling(seen))
    scene.publish()
    scene.publish()
    scene.run_until(lambda: scene.committed == 2)
    assert seen == ["0", "0"]
