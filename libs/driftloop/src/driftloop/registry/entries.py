"""The commands that a state remembers: all that had an effect, and of the refused ones the newest."""

import heapq
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from driftloop.registry.persistent_map import PersistentMap
from driftloop.registry.records import LogEntry, Outcome
from driftloop.registry.refused_ids import RefusedIds

MAX_REFUSED = 1000  # shown of one model; of older ones it is known that they were refused, and where


class Entries(msgspec.Struct, frozen=True):
    """What was asked of one model. Immutable; ``added`` costs O(log n) on average, and the refused ones take bounded space."""

    answered: PersistentMap[int, LogEntry] = PersistentMap()  # accepted, or waiting for a person; by offset
    refused: tuple[LogEntry, ...] = ()  # oldest first

    def added(self, entry: LogEntry) -> "Entries":
        """With one more command, which the log holds behind all others."""
        if entry.outcome.refused:
            return Entries(self.answered, (*self.refused[-MAX_REFUSED + 1 :], entry))
        return Entries(self.answered.added(entry.offset, entry), self.refused)

    def values(self) -> Iterator[LogEntry]:
        """Oldest first."""
        return heapq.merge(self.answered.values(), self.refused, key=_offset)

    def newest(self) -> Iterator[LogEntry]:
        """Newest first."""
        return heapq.merge(self.answered.newest(), reversed(self.refused), key=_offset, reverse=True)

    def at(self, offset: int) -> LogEntry | None:
        """The refused command of that record, if it is still among the newest."""
        return next((entry for entry in self.refused if entry.offset == offset), None)

    def __len__(self) -> int:
        return len(self.answered) + len(self.refused)


class Known(NamedTuple):
    """A command that had an effect, and the digest of what it asked for."""

    entry: LogEntry
    asks: bytes


class Answers(msgspec.Struct, frozen=True):
    """The first outcome of every command of the log, by its id and by what it asks for.

    Somebody may use an id that is not theirs: a command that asks for something else under a known id is another command.
    """

    answered: PersistentMap[str, Known] = PersistentMap()  # the first with an id
    namesakes: PersistentMap[tuple[str, bytes], Known] = PersistentMap()  # others with a known id
    refused: RefusedIds = RefusedIds()

    def added(self, entry: LogEntry, asks: bytes) -> "Answers":
        """With one more command. ``asks`` is the digest of what it asks for."""
        if entry.outcome.refused:
            return msgspec.structs.replace(self, refused=self.refused.added(entry.command_id, asks, entry.offset))
        if entry.command_id in self.answered:
            return msgspec.structs.replace(self, namesakes=self.namesakes.added((entry.command_id, asks), Known(entry, asks)))
        return msgspec.structs.replace(self, answered=self.answered.added(entry.command_id, Known(entry, asks)))

    def to(self, command_id: str, asks: bytes) -> LogEntry | int | None:
        """The record of this very command: its entry, or where it was refused. None: it is new."""
        known = self.answered.get(command_id)
        if known is not None:
            if known.asks == asks:
                return known.entry
            namesake = self.namesakes.get((command_id, asks))
            if namesake is not None:
                return namesake.entry
        return self.refused.offset_of(command_id, asks)

    def first(self, command_id: str) -> LogEntry | int | None:
        """The first record with this id, whatever it asks for: its entry, or where it was refused. None: there is none."""
        known, refused = self.answered.get(command_id), self.refused.first_of(command_id)
        if known is None or (refused is not None and refused < known.entry.offset):
            return refused
        return known.entry


def forgotten(offset: int) -> Outcome:
    """The outcome of a refused command whose reason is remembered no more."""
    return Outcome(accepted=False, reason=f"this command was refused before, at offset {offset} of the log; its reason is shown no more")


def _offset(entry: LogEntry) -> int:
    return entry.offset
