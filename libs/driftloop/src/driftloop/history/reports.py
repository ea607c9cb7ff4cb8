"""The newest revision of each report on a window. Pure."""

from datetime import datetime
from typing import Generic, TypeVar

from driftloop.contracts.codec import Envelope
from driftloop.contracts.events import DriftReported, PerformanceReported
from driftloop.contracts.values import Window
from driftloop.history.told import Pair, Told

R = TypeVar("R", DriftReported, PerformanceReported)
Key = tuple[str, Window, int | None]  # model, window, version


class Reports(Generic[R]):
    """``kept``: how many, those that came last; None: all. Of two with one revision the one that came last stands."""

    def __init__(self, kept: int | None = None) -> None:
        self._kept = kept
        self._told: dict[Key, Told[R]] = {}  # in the order in which they came

    def add(self, event: R, about: Envelope) -> None:
        key = event.model, event.window, event.version
        before = self._told.pop(key, None)
        newer = before is None or event.revision >= before.event.revision
        self._told[key] = Told(event, about) if newer or before is None else before
        if self._kept is not None and len(self._told) > self._kept:
            del self._told[next(iter(self._told))]

    def newest(self, model: str, window: Window, version: int | None) -> R | None:
        found = self._told.get((model, window, version))
        return None if found is None else found.event

    def all(self) -> list[Told[R]]:
        """By model, window and version; those on all versions together first."""
        return [told for _, told in sorted(self._told.items(), key=lambda item: _order(item[0]))]

    def stored(self) -> list[Pair[R]]:
        return [told.pair() for told in self._told.values()]

    def restore(self, stored: list[Pair[R]]) -> None:
        self._told = {(e.model, e.window, e.version): Told(e, about) for e, about in stored}


def _order(key: Key) -> tuple[str, datetime, datetime, int]:
    return key[0], key[1].start, key[1].end, -1 if key[2] is None else key[2]
