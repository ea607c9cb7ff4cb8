"""Maps that keep their older values intact, for folds that must be pure and cheap."""

from collections.abc import Hashable, Iterator, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class PersistentMap(Generic[K, V]):
    """An immutable map in order of insertion that only grows. ``added`` costs O(log n) on average and leaves the map it is called
    on as it was.

    Kept as dicts of falling size, each at least about twice the next, as in a binary counter; none is ever changed once made.
    """

    __slots__ = ("_layers",)

    def __init__(self, _layers: tuple[dict[K, V], ...] = ()) -> None:
        self._layers = _layers

    @staticmethod
    def of(items: dict[K, V]) -> "PersistentMap[K, V]":
        """A map of ``items``, in their order. The caller gives them away and changes them no more."""
        return PersistentMap((items,) if items else ())

    def added(self, key: K, value: V) -> "PersistentMap[K, V]":
        """This map and one more entry. The key must be new."""
        if key in self:
            raise KeyError(f"{key!r} is there already")
        return PersistentMap(_with_layer(self._layers, {key: value}))

    def get(self, key: K) -> V | None:
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


class ReplacingMap(Mapping[K, V]):
    """An immutable map, in no order, in which a key can be given another value. ``with_value`` costs O(log n) on average."""

    __slots__ = ("_layers",)

    def __init__(self, _layers: tuple[dict[K, V], ...] = ()) -> None:
        self._layers = _layers  # a later one hides the values of the same keys in earlier ones

    @staticmethod
    def of(items: dict[K, V]) -> "ReplacingMap[K, V]":
        """A map of ``items``, which the caller gives away and changes no more."""
        return ReplacingMap((items,) if items else ())

    def with_value(self, key: K, value: V) -> "ReplacingMap[K, V]":
        """This map with ``value`` under ``key``, whatever was there before."""
        return ReplacingMap(_with_layer(self._layers, {key: value}))

    def __getitem__(self, key: K) -> V:
        for layer in reversed(self._layers):
            if key in layer:
                return layer[key]
        raise KeyError(key)

    def __iter__(self) -> Iterator[K]:
        merged: dict[K, V] = {}
        for layer in self._layers:
            merged |= layer
        return iter(merged)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"ReplacingMap({dict(self)!r})"


def _with_layer(layers: tuple[dict[K, V], ...], new: dict[K, V]) -> tuple[dict[K, V], ...]:
    while layers and len(layers[-1]) <= len(new):
        new = {**layers[-1], **new}
        layers = layers[:-1]
    return (*layers, new)
