"""A fold that remembers in which order it was told which ids, and how often it began again."""

import msgspec

from driftloop.contracts.codec import Envelope
from driftloop.contracts.events import Event


class ToldIds:
    """Keeps ``history.events.EventFold``."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.added = self.resets = 0

    def add(self, event: Event, about: Envelope) -> None:
        self.added += 1
        self.ids.append(about.id)

    def reset(self) -> None:
        self.resets += 1
        self.ids = []

    def stored(self) -> bytes:
        return msgspec.json.encode(self.ids)

    def restore(self, stored: bytes) -> None:
        self.ids = msgspec.json.decode(stored, type=list[str])
