"""The registry's log, followed: what is in force when the log, the broker or the checkpoint is not what it was."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.unit.registry.commands import folded, move_alias, promote, register_project, register_version

from driftloop import metrics
from driftloop.adapters.memory import MemoryBroker
from driftloop.contracts.codec import encode_event, envelope
from driftloop.contracts.commands import Command
from driftloop.contracts.events import Event, RetrainRequested
from driftloop.contracts.topics import REGISTRY_LOG
from driftloop.errors import TransientError
from driftloop.history import log_reader, registry_follower
from driftloop.history.registry_follower import RegistryFollower, read_registry
from driftloop.ports import TopicPartition
from driftloop.registry.state import RegistryState

LOG = (register_project(), register_version("r1"), promote("r1", epoch=0), register_version("r2"), move_alias(2, epoch=1, command_id="m"))


@pytest.fixture
def broker() -> MemoryBroker:
    made = MemoryBroker()
    made.create_topic(REGISTRY_LOG)
    return made


def append(broker: MemoryBroker, *events: Event) -> None:
    for event in events:
        event_id = event.command_id if isinstance(event, Command) else "e"
        value, headers = encode_event(event, envelope(event, id=event_id, source="test", subject="m"))
        broker.producer().send(REGISTRY_LOG, value, headers=headers)


Start = Callable[..., RegistryFollower]


@pytest.fixture
def start(broker: MemoryBroker) -> Iterator[Start]:
    followers: list[RegistryFollower] = []

    def started(**options: Path) -> RegistryFollower:
        followers.append(RegistryFollower(broker, **options).start())
        return followers[-1]

    yield started
    for follower in followers:
        follower.stop()


def test_a_follower_has_folded_the_log_when_it_starts_and_follows_it(broker: MemoryBroker, start: Start) -> None:
    append(broker, *LOG[:3])
    follower = start()
    assert follower.caught_up
    assert follower.state() == folded(*LOG[:3])[0]
    heard: list[RegistryState] = []
    follower.subscribe(heard.append)
    append(broker, *LOG[3:])
    assert follower.sync(PATIENCE_SECONDS) == follower.wait_for(4, PATIENCE_SECONDS) == folded(*LOG)[0]
    wait_until(lambda: len(heard) == 2, "the subscriber to hear of both")
    assert [state.next_offset for state in heard] == [4, 5]
    assert follower.end() == 5
    with pytest.raises(TransientError, match="not folded up to offset 5 within"):
        follower.wait_for(5, 0.1)


def test_a_subscriber_that_breaks_down_is_counted_and_keeps_nobody_from_following(broker: MemoryBroker, start: Start) -> None:
    follower = start()
    heard: list[RegistryState] = []
    follower.subscribe(lambda state: follower.state().models[f"nobody's at {state.next_offset}"])
    follower.subscribe(heard.append)
    before = metrics.FOLLOWER_FAILURES.labels("registry-log")._value.get()
    append(broker, *LOG)
    assert follower.sync(PATIENCE_SECONDS) == folded(*LOG)[0]
    wait_until(lambda: len(heard) == 5, "the other subscriber to hear of all")  # they are told after those who wait
    assert [state.next_offset for state in heard] == [1, 2, 3, 4, 5]
    assert metrics.FOLLOWER_FAILURES.labels("registry-log")._value.get() == before + 5


def test_an_empty_log_is_up_to_date(start: Start) -> None:
    assert start().sync(PATIENCE_SECONDS) == RegistryState()


def test_all_readers_count_records_that_no_one_can_read(broker: MemoryBroker, start: Start) -> None:
    append(broker, LOG[0], RetrainRequested(model="m", reason="manual", detail="", requested_by="test"))
    broker.producer().send(REGISTRY_LOG, b"rubbish")
    append(broker, LOG[1], LOG[1], *LOG[2:])
    broker.producer().send(REGISTRY_LOG, b"rubbish")
    state = start().sync(PATIENCE_SECONDS)
    assert state.next_offset == 9
    assert state == read_registry(broker)
    assert state.models["flights"].champion_epoch == 2


def test_the_state_at_an_earlier_offset_can_be_read(broker: MemoryBroker) -> None:
    append(broker, *LOG)
    assert read_registry(broker, below=3) == folded(*LOG[:3])[0]


@pytest.mark.parametrize("new", [LOG[:1], (*LOG, register_version("r3"))])
def test_a_log_made_anew_changes_nothing_that_is_in_force(
    broker: MemoryBroker, start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, new: tuple[Command, ...]
) -> None:
    monkeypatch.setattr(registry_follower, "RETRY_SECONDS", 0.1)
    append(broker, *LOG)
    follower = start()
    before = follower.sync(PATIENCE_SECONDS)
    heard: list[RegistryState] = []
    follower.subscribe(heard.append)
    broker.delete_topic(REGISTRY_LOG)
    broker.create_topic(REGISTRY_LOG)
    append(broker, *new)
    wait_until(lambda: sum("registry-log-lost" in record.getMessage() for record in caplog.records) >= 2, "the loss to be said, and again")
    assert follower.state() is before
    assert heard == []
    assert start().sync(PATIENCE_SECONDS) == folded(*new)[0]  # a process that starts has only the new log


def test_a_start_goes_on_from_the_checkpoint(broker: MemoryBroker, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_reader, "STORE_AT_END", 1)
    path = tmp_path / "registry.checkpoint"
    append(broker, *LOG[:4])
    start(checkpoint=path).stop()
    append(broker, LOG[4])
    offsets: list[int] = []
    after_record = registry_follower.after_record

    def counted(state, record):
        offsets.append(record.offset)
        return after_record(state, record)

    monkeypatch.setattr(registry_follower, "after_record", counted)
    state = start(checkpoint=path).sync(PATIENCE_SECONDS)
    assert offsets == [4]
    assert state == folded(*LOG)[0]
    assert state.digest() == folded(*LOG)[0].digest()


def test_a_checkpoint_of_a_log_that_was_lost_is_not_believed(
    broker: MemoryBroker, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_reader, "STORE_AT_END", 1)
    path = tmp_path / "registry.checkpoint"
    append(broker, *LOG)
    start(checkpoint=path).stop()
    broker.delete_topic(REGISTRY_LOG)
    broker.create_topic(REGISTRY_LOG)
    append(broker, *LOG[:2], register_version("other"), *LOG[2:])
    assert start(checkpoint=path).sync(PATIENCE_SECONDS) == folded(*LOG[:2], register_version("other"), *LOG[2:])[0]


def test_a_follower_waits_for_a_log_that_is_not_there_yet(broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_follower, "RETRY_SECONDS", 0.05)
    broker.delete_topic(REGISTRY_LOG)
    follower = RegistryFollower(broker).start(timeout_seconds=0.3)
    try:
        assert not follower.caught_up
        broker.create_topic(REGISTRY_LOG)
        append(broker, *LOG)
        wait_until(lambda: follower.caught_up, "the log to be folded")
        assert follower.state() == folded(*LOG)[0]
    finally:
        follower.stop()


def test_a_log_that_ends_in_an_aborted_transaction_is_followed_to_its_end(broker: MemoryBroker, start: Start) -> None:
    append(broker, *LOG[:3])
    broker.abort(TopicPartition(REGISTRY_LOG, 0), 3)
    follower = start()
    assert follower.caught_up
    assert follower.sync(PATIENCE_SECONDS).next_offset == 7
    broker.abort(TopicPartition(REGISTRY_LOG, 0), 3)
    assert follower.sync(PATIENCE_SECONDS).next_offset == 11
    append(broker, *LOG[3:])
    assert follower.sync(PATIENCE_SECONDS) == read_registry(broker)
    assert follower.state().next_offset == 13


@pytest.mark.parametrize(("below", "reached"), [(1, 1), (4, 4), (7, 7), (8, 8), (99, 12)])
def test_a_log_with_an_aborted_transaction_is_folded_up_to_any_offset(broker: MemoryBroker, below: int, reached: int) -> None:
    append(broker, *LOG[:3])
    broker.abort(TopicPartition(REGISTRY_LOG, 0), 3)
    append(broker, *LOG[3:])
    broker.abort(TopicPartition(REGISTRY_LOG, 0), 2)
    assert read_registry(broker, below=below).next_offset == reached
