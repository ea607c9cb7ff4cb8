"""A map that only grows and keeps its older values intact, for folds that must be pure and cheap."""

from collections.abc import Iterator
from typing import Generic, TypeVar

V = TypeVar("V")


class PersistentMap(Generic[V]):
    """An immutable map in order of insertion. ``added`` costs O(log n) on average and leaves the map it is called on as it was.

    Kept as dicts of falling size, each at least about twice the next, as in a binary counter; none is ever changed once made.
    """

    __slots__ = ("_layers",)

    def __init__(self, _layers: tuple[dict[str, V], ...] = ()) -> None:
        self._layers = _layers

    @staticmethod
    def of(items: dict[str, V]) -> "PersistentMap[V]":
        """A map of ``items``, in their order. The caller gives them away and changes them no more."""
        return PersistentMap((items,) if items else ())

    def added(self, key: str, value: V) -> "PersistentMap[V]":
        """This map and one more entry. The key must be new."""
        if key in self:
            raise KeyError(f"{key!r} is there already")
        new, kept = {key: value}, self._layers
        while kept and len(kept[-1]) <= len(new):
            new = {**kept[-1], **new}
            kept = kept[:-1]
        return PersistentMap((*kept, new))

    def get(self, key: str) -> V | None:
        for layer in self._layers:
            if key in layer:
                return layer[key]
        return None

    def __contains__(self, key: object) -> bool:
        return any(key in layer for layer in self._layers)

    def __len__(self) -> int:
        return sum(map(len, self._layers))

    def values(self) -> Iterator[V]:
        """Oldest first."""
        for layer in self._layers:
            yield from layer.values()

    def newest(self) -> Iterator[V]:
        """Newest first."""
        for layer in reversed(self._layers):
            yield from reversed(layer.values())

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, PersistentMap)
            and len(self) == len(other)
            and all(a == b for a, b in zip(self.values(), other.values(), strict=True))
        )

    def __hash__(self) -> int:
        return hash(len(self))

    def __repr__(self) -> str:
        return f"Layers({list(self.values())!r})"
