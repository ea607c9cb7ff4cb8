"""The registry as its log tells it: folded to its end once, or kept up to date by a thread."""

import threading
from collections.abc import Callable
from pathlib import Path

from driftloop import metrics
from driftloop.contracts.commands import Command
from driftloop.contracts.topics import REGISTRY_LOG
from driftloop.errors import GapError, TransientError
from driftloop.history.checkpoint import Checkpoint
from driftloop.history.events import log_passed_over, read_event
from driftloop.history.log_end import LogEnd
from driftloop.history.log_reader import LogReader, read_to_end
from driftloop.ports import Record, TopicPartition, Topics
from driftloop.registry.fold import RegistryState
from driftloop.registry.log_record import fold_record
from driftloop.registry.stored_state import decode_state, encode_state
from driftloop.supervised import SupervisedThread
from driftloop.telemetry import get_logger

READ_SECONDS = 0.2
CATCH_UP_SECONDS = 1.0  # without a record; a stop waits no longer
RETRY_SECONDS = 2.0  # at most

log = get_logger(__name__)


def after_record(state: RegistryState, record: Record) -> RegistryState:
    """The state after one record of the log. Every reader passes over what it cannot read, so all states stay equal."""
    found = read_event(record, Command)
    if found is None:
        return state.skip(record.offset)
    command, _ = found
    assert isinstance(command, Command)
    try:
        return fold_record(state, command, record)
    except Exception as exc:  # whatever a record holds, the log behind it must be read: the next record is no better for a dead reader
        log.error("command-not-folded", exc_info=True, offset=record.offset)
        metrics.UNREADABLE_RECORDS.labels(record.topic).inc()
        log_passed_over(record, f"the fold breaks on it: {type(exc).__name__}: {exc}")
        return state.skip(record.offset)


class RegistryFold:
    """Keeps ``log_reader.RecordFold``: of every record, also of one under an id that came before, since the state counts them all.

    ``below``: records from this offset on are left out. ``changed`` is called with every new state.
    """

    def __init__(self, *, below: int | None = None, changed: Callable[[RegistryState], None] = lambda state: None) -> None:
        self.state = RegistryState()
        self._below, self._changed = below, changed

    def fold(self, record: Record) -> None:
        if self._below is None or record.offset < self._below:
            self._become(after_record(self.state, record))
        else:
            self.passed(TopicPartition(record.topic, record.partition), record.offset)

    def passed(self, tp: TopicPartition, offset: int) -> None:
        reached = offset if self._below is None else min(offset, self._below)
        if reached > self.state.next_offset:
            self._become(self.state.skip(reached - 1))

    def reset(self) -> None:
        self._become(RegistryState())

    def stored(self) -> bytes:
        return encode_state(self.state)

    def restore(self, stored: bytes) -> None:
        self._become(decode_state(stored))

    def _become(self, state: RegistryState) -> None:
        self.state = state
        self._changed(state)


def read_registry(topics: Topics, *, below: int | None = None) -> RegistryState:
    """The state after all records that the log holds, or those ``below`` an offset. Raises TransientError, ConfigurationError."""
    folded = RegistryFold(below=below)
    read_to_end(topics, [REGISTRY_LOG], folded)
    return folded.state


class RegistryFollower:
    """Keeps ``registry.fold.RegistryReader``. Goes on through broker outages; never forgets what it has folded.

    That is its own rule, not the readers': a log that was lost or made anew is an error, and what was folded before stays in
    force, because a champion must go on serving whatever became of a topic (docs/adr/0011).
    """

    def __init__(self, topics: Topics, *, checkpoint: Path | None = None) -> None:
        """``checkpoint``: a file from which the next start goes on."""
        self._fold = RegistryFold(changed=self._became)
        kept = Checkpoint(checkpoint) if checkpoint is not None else None
        self._reader = LogReader(topics, [REGISTRY_LOG], self._fold, checkpoint=kept, start_over=False)
        self._end = LogEnd(topics, TopicPartition(REGISTRY_LOG, 0))
        self._changed = threading.Condition()
        self._caught_up = threading.Event()
        self._callbacks: list[Callable[[RegistryState], None]] = []
        self.thread = SupervisedThread("registry-log", self._step, longest_pause_seconds=RETRY_SECONDS)

    def start(self, timeout_seconds: float = 30.0) -> "RegistryFollower":
        """Return when the log's end, as it was then, has been folded; after the timeout go on in the background."""
        self.thread.start()
        self._caught_up.wait(timeout_seconds)
        return self

    def stop(self) -> None:
        if self.thread.stop():
            self._reader.close()
        self._end.close()

    @property
    def caught_up(self) -> bool:
        """Whether the log has been folded to its end once."""
        return self._caught_up.is_set()

    def state(self) -> RegistryState:
        return self._fold.state

    def subscribe(self, callback: Callable[[RegistryState], None]) -> None:
        """Called in the follower's thread with every new state."""
        self._callbacks.append(callback)

    def wait_for(self, offset: int, timeout_seconds: float) -> RegistryState:
        """The state once the record at ``offset`` is folded. Raises TransientError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.state().next_offset > offset, timeout_seconds):
                raise TransientError(f"registry-log was not folded up to offset {offset} within {timeout_seconds} s")
        return self.state()

    def end(self) -> int:
        """The offset after the log's last record, as the broker says now. For any thread. Raises TransientError."""
        return self._end.offset()

    def sync(self, timeout_seconds: float) -> RegistryState:
        """The state once all that the log holds at the time of the call is folded. Raises TransientError."""
        return self.wait_for(self.end() - 1, timeout_seconds)

    def _step(self) -> None:
        try:
            if self.caught_up:
                self._reader.read(READ_SECONDS)
            elif self._reader.catch_up(CATCH_UP_SECONDS):
                self._caught_up.set()
        except GapError as exc:
            log.error("registry-log-lost", reason=str(exc), meaning="what was folded before stays in force")
            raise

    def _became(self, state: RegistryState) -> None:
        with self._changed:
            self._changed.notify_all()
        for callback in self._callbacks:
            try:
                callback(state)
            except Exception:  # the log goes on, whoever cannot follow
                metrics.FOLLOWER_FAILURES.labels(self.thread.name).inc()
                log.error("subscriber-broke-down", exc_info=True, offset=state.next_offset)
