"""Values at declared paths into JSON objects: decoded once, into typed structs that are nested as the paths are."""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from driftloop.errors import InvalidMessage
from driftloop.rows.json_objects import JsonObjects


class JsonPaths:
    """``types``: by path, names with dots between them. What is not there is None, as is what is below something that is not."""

    def __init__(self, types: Mapping[str, Any]) -> None:
        tree: dict[str, Any] = {}
        for path, kind in types.items():
            *above, name = path.split(".")
            at = tree
            for step in above:
                at = at.setdefault(step, {})
                if not isinstance(at, dict):
                    raise ValueError(f"{path!r} leads through a value")
            if isinstance(at.get(name), dict):
                raise ValueError(f"{path!r} is both a value and on the way to another")
            at[name] = kind
        self._objects = JsonObjects({name: _type(below) for name, below in tree.items()}, list(tree))
        self._get = {path: _getter(path, list(tree), tree) for path in types}

    def decode(self, value: bytes | None) -> dict[str, Any]:
        """By path. Raises InvalidMessage, which names the field."""
        found, _ = self._objects.decode(value)
        return {path: get(found) for path, get in self._get.items()}

    def decode_all(self, values: Sequence[bytes | None]) -> list[dict[str, Any] | InvalidMessage]:
        """What ``decode`` gives each, or raises for it."""
        found: list[dict[str, Any] | InvalidMessage] = []
        for value in values:
            try:
                found.append(self.decode(value))
            except InvalidMessage as exc:
                found.append(exc)
        return found


def _type(below: Any) -> Any:
    """A leaf's type, or a struct of what lies below; either may be null."""
    if not isinstance(below, dict):
        return below | None
    fields: list[tuple[str, Any, None]] = [(f"f{i}", _type(kind), None) for i, kind in enumerate(below.values())]
    rename = {f"f{i}": name for i, name in enumerate(below)}
    return msgspec.defstruct("Nested", fields, rename=rename, kw_only=True, gc=False) | None


def _getter(path: str, names: Sequence[str], tree: Mapping[str, Any]) -> Callable[[Any], Any]:
    steps: list[Callable[[Any], Any]] = []
    at: Any = tree
    for name in path.split("."):
        steps.append(attrgetter(f"f{list(at).index(name)}"))
        at = at[name]

    def get(found: Any) -> Any:
        for step in steps:
            if found is None:
                return None
            found = step(found)
        return found

    return get
