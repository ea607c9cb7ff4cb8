"""What no event can mean, whatever its type: numbers that nothing can hold, moments that no calendar knows."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

MAX_INTEGER = 2**63 - 1
MIN_INTEGER = -(2**63)


def impossible(value: object, where: str = "") -> str | None:
    """What in ``value`` cannot be a fact, named by its path; None: nothing.

    Integers have 64 bits, numbers are finite, and moments lie between the years 1 and 9999 in UTC: what reads an event may
    convert, store and compare all of it.
    """
    match value:
        case bool() | str() | None:
            return None
        case int():
            return None if MIN_INTEGER <= value <= MAX_INTEGER else f"{where} is an integer of more than 64 bits"
        case float():
            return None if math.isfinite(value) else f"{where} is no finite number"
        case datetime():
            return None if _in_calendar(value) else f"{where} is not between the years 1 and 9999"
        case msgspec.Struct():
            return _first(value.__struct_fields__, (getattr(value, name) for name in value.__struct_fields__), where)
        case dict():
            return _first(map(str, value), value.values(), where)
        case list() | tuple():
            return _first(map(str, range(len(value))), value, where)
        case _:
            return None


def _first(names: Iterable[str], values: Iterable[object], where: str) -> str | None:
    for name, value in zip(names, values, strict=True):
        problem = impossible(value, f"{where}.{name[:80]}" if where else name[:80])
        if problem is not None:
            return problem
    return None


def _in_calendar(time: datetime) -> bool:
    try:
        time.astimezone(UTC)
    except OverflowError:
        return False
    return True
