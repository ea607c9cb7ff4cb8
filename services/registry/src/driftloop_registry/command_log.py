"""Commands into ``registry-log``, and the outcome that the fold gives them."""

import threading
import time

from driftloop.contracts.commands import RegisterProject
from driftloop.contracts.topics import REGISTRY_LOG
from driftloop.errors import TransientError
from driftloop.ports import EventPublisher
from driftloop.registry.fold import OnModel, Outcome, RegistryReader, RegistryState, asks

AnyCommand = RegisterProject | OnModel


class CommandLog:
    """Appends a command and waits for the fold. A command that is repeated with its id is done once."""

    def __init__(self, events: EventPublisher, reader: RegistryReader, *, timeout_seconds: float) -> None:
        self._events, self._reader, self._timeout = events, reader, timeout_seconds
        self._folded = threading.Condition()

    def on_state(self, _state: RegistryState) -> None:
        """Subscribe this to the follower."""
        with self._folded:
            self._folded.notify_all()

    def append(self, command: AnyCommand) -> Outcome:
        """The fold's outcome of this command, or its first one if the log holds the id already.

        Raises TransientError when the outcome is unknown: the command may still be folded later; repeat it with its id.
        """
        known = self._outcome(command)
        if known is not None:
            return known
        deadline = time.monotonic() + self._timeout
        self._events.publish(REGISTRY_LOG, command, key=command.model, id=command.command_id, time=command.at)
        with self._folded:
            self._folded.wait_for(lambda: self._outcome(command) is not None, max(0.0, deadline - time.monotonic()))
        outcome = self._outcome(command)
        if outcome is None:
            raise TransientError(f"command {command.command_id} was not folded within {self._timeout:g} s")
        return outcome

    def _outcome(self, command: AnyCommand) -> Outcome | None:
        return self._reader.state().outcome_of(command.command_id, asks(command))
