"""An event with its envelope: what was said, under which id and when."""

from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, TypeVar

from driftloop.contracts.codec import Envelope
from driftloop.contracts.events import Event

E = TypeVar("E", bound=Event, covariant=True)
F = TypeVar("F", bound=Event)

Pair = tuple[F, Envelope]

# Of a retrain decision's evidence, what grows with partitions, or with the windows that labels land in.
LET_GO = frozenset({"closing_offsets", "late"})


class Told(NamedTuple, Generic[E]):
    event: E
    about: Envelope

    def pair(self) -> tuple[E, Envelope]:
        """As it is stored."""
        return self.event, self.about


def first(told: "Iterable[Told[F]]", matches: Callable[[F], bool]) -> "Told[F] | None":
    """The earliest by its own time, of those that match."""
    return min((t for t in told if matches(t.event)), key=lambda t: t.about.time, default=None)
