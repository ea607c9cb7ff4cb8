"""The registry's state as a database that people and their tools may read, as a promise."""

from typing import Protocol

from driftloop.registry.state import RegistryState


class ViewUnavailable(Exception):
    """The database cannot be written now, though nothing is wrong with it; the registry answers without it."""


class ViewBroken(Exception):
    """The database is not what was written: make it anew."""


class StateView(Protocol):
    """Holds one state at a time, with its offset, all of it or nothing. From any thread."""

    def write(self, state: RegistryState) -> None:
        """Go on to ``state``, which follows the one written before. Raises ViewBroken, ViewUnavailable."""

    def recreate(self, state: RegistryState) -> None:
        """Throw away what is there, whatever it is, and hold ``state``. Raises ViewUnavailable."""

    def digest(self) -> tuple[int, str]:
        """Offset and digest of what it holds, read back in full. Raises ViewBroken, ViewUnavailable."""

    def close(self) -> None:
        """What was written stays."""
