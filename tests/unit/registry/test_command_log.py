import pytest
from tests.unit.registry.commands import register_project

from driftloop.contracts.topics import REGISTRY_LOG
from driftloop.errors import TransientError
from driftloop.registry.fold import RegistryState, fold
from driftloop_registry.command_log import CommandLog


class Reader:
    """A follower that the test feeds; it folds what is published at once if told so."""

    def __init__(self):
        self.now = RegistryState()

    def state(self):
        return self.now

    def wait_for(self, offset, timeout_seconds):
        raise NotImplementedError


class Events:
    """Keeps what was published."""

    def __init__(self, reader=None):
        self.published = []
        self._reader = reader

    def publish(self, topic, event, *, key, id, time=None):
        self.published.append((topic, event.command_id, id))
        if self._reader:
            self._reader.now, _ = fold(self._reader.now, event, self._reader.now.next_offset)


def test_answer_is_the_folds_outcome():
    reader = Reader()
    events = Events(reader)

    outcome = CommandLog(events, reader, timeout_seconds=1).append(register_project("c1"))

    assert outcome.accepted
    assert events.published == [(REGISTRY_LOG, "c1", "c1")]


def test_command_that_the_log_holds_already_is_not_appended_again():
    reader = Reader()
    events = Events(reader)
    commands = CommandLog(events, reader, timeout_seconds=1)

    first, again = commands.append(register_project("c1")), commands.append(register_project("c1"))

    assert first == again
    assert len(events.published) == 1


def test_command_that_is_not_folded_in_time_has_no_known_outcome():
    with pytest.raises(TransientError, match="was not folded"):
        CommandLog(Events(), Reader(), timeout_seconds=0.05).append(register_project("c1"))
