"""A fold over ``registry-log``, kept up to date by a thread."""

import threading
from collections.abc import Callable

from driftloop.adapters.kafka_consumer import AssignedConsumer
from driftloop.contracts.codec import decode_event
from driftloop.contracts.commands import Command
from driftloop.contracts.topics import REGISTRY_LOG
from driftloop.errors import GapError, InvalidMessage, TransientError
from driftloop.ports import Record, TopicPartition
from driftloop.registry.fold import RegistryState, fold
from driftloop.telemetry import get_logger

_TP = TopicPartition(REGISTRY_LOG, 0)

log = get_logger(__name__)


def folded(state: RegistryState, record: Record) -> RegistryState:
    """The state after one record of the log. Every reader passes over what it cannot read, so all states stay equal."""
    try:
        event, _ = decode_event(record.value, record.headers)
        if not isinstance(event, Command):
            raise InvalidMessage(f"{type(event).__name__} is no command")
        after, _ = fold(state, event, record.offset)
    except InvalidMessage as exc:
        log.warning("command-unreadable", reason=str(exc), offset=record.offset)
        return state.skip(record.offset)
    return after


class RegistryFollower:
    """Keeps ``loop.registry.RegistryReader``. Goes on through broker outages; never forgets what it has folded."""

    def __init__(self, bootstrap: str, *, client_id: str) -> None:
        self._bootstrap, self._client_id = bootstrap, client_id
        self._state = RegistryState()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._caught_up = threading.Event()
        self._callbacks: list[Callable[[RegistryState], None]] = []
        self._thread = threading.Thread(target=self._run, name="registry-follower", daemon=True)

    def start(self, timeout_seconds: float = 30.0) -> "RegistryFollower":
        """Return when the log's end, as it was then, has been folded; after the timeout go on in the background."""
        self._thread.start()
        self._caught_up.wait(timeout_seconds)
        return self

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=5)

    @property
    def caught_up(self) -> bool:
        """Whether the log has been folded to its end once."""
        return self._caught_up.is_set()

    def state(self) -> RegistryState:
        return self._state

    def subscribe(self, callback: Callable[[RegistryState], None]) -> None:
        """Called in the follower's thread with every new state."""
        self._callbacks.append(callback)

    def wait_for(self, offset: int, timeout_seconds: float) -> RegistryState:
        """The state once the record at ``offset`` is folded. Raises TransientError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._state.next_offset > offset, timeout_seconds):
                raise TransientError(f"registry-log was not folded up to offset {offset} within {timeout_seconds} s")
        return self._state

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except TransientError as exc:
                log.warning("registry-log-unreachable", reason=str(exc))
                self._stopping.wait(1.0)
            except GapError as exc:
                # The log is kept for ever; this one was made anew. What was folded before stays in force.
                log.error("registry-log-lost", reason=str(exc))
                self._stopping.wait(10.0)

    def _follow(self) -> None:
        consumer = AssignedConsumer(self._bootstrap, [_TP], client_id=self._client_id)
        try:
            consumer.seek(_TP, self._state.next_offset)
            end = consumer.end_offsets([_TP])[_TP]
            while not self._stopping.is_set():
                if not self._caught_up.is_set() and self._state.next_offset >= end:
                    self._caught_up.set()
                for record in consumer.poll(0.2).get(_TP, ()):
                    self._show(folded(self._state, record))
                position = consumer.last_position(_TP)
                if position is not None and position > self._state.next_offset:
                    self._show(self._state.skip(position - 1))  # offsets without a record: of control markers, say
        finally:
            consumer.close()

    def _show(self, state: RegistryState) -> None:
        with self._changed:
            self._state = state
            self._changed.notify_all()
        for callback in self._callbacks:
            callback(state)
