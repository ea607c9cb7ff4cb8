"""Values out of objects inside objects, by path."""

from collections.abc import Callable
from typing import Any

from driftloop.errors import InvalidMessage
from driftloop.rows.existing.kinds import Column, found_words


def getter(column: Column, start: int = 0) -> Callable[[Any], Any]:
    """Takes a column's value out of an object. ``start``: the first steps that are taken already.

    What lies in an object that is null is null. Raises InvalidMessage for a field that is not there though it is declared, and for
    one that lies in what is no object.
    """
    path, steps, declared = column.source.path, column.source.steps, column.declared or column.needed

    def get(value: Any) -> Any:
        for at, step in enumerate(steps[start:], start):
            if value is None:
                return None
            if type(value) is not dict:
                raise InvalidMessage(f"field {path!r}: {_place(steps[:at])} is {found_words(type(value))}, not an object")
            if step in value:
                value = value[step]
            elif declared:
                raise InvalidMessage(f"no field {'.'.join(steps[: at + 1])!r}, where {column.name} was looked for{_instead(value)}")
            else:
                return None
        return value

    return get


def _place(steps: tuple[str, ...]) -> str:
    return repr(".".join(steps)) if steps else "the value"


def _instead(value: dict[Any, Any]) -> str:
    names = sorted(str(name)[:40] for name in list(value)[:8])
    return f"; there are {', '.join(names)}{' …' if len(value) > len(names) else ''}" if names else ""
