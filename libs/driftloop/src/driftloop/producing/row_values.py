"""A row of Python values as the JSON object that services read; what JSON would change without a word is refused."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np

from driftloop.errors import InvalidMessage

MISSING = "a missing feature is None"
KINDS = "send a number, a boolean, a string, a datetime with its offset, or None"


def encoded(row: Mapping[str, Any]) -> bytes:
    """Raises InvalidMessage naming the field that is none of KINDS, is no finite number or no UTF-8.

    A datetime without its offset stays without one: the decoder refuses it, and says what to send.
    """
    return msgspec.json.encode({_name(name): _plain(name, value) for name, value in row.items()})


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise InvalidMessage(f"{name!r} is no name of a field: names are strings")
    _text(name, name)
    return name


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64 | np.void):
        value = value.item()
    match value:
        case None | bool():
            return value
        case int():
            return int(value)
        case float():
            if not math.isfinite(value):
                raise InvalidMessage(f"field {name!r} holds NaN or infinity: send finite numbers ({MISSING})")
            return float(value)
        case str():
            return _text(name, value)
        case datetime():
            return _time(name, value)
        case _:
            raise InvalidMessage(f"field {name!r} holds a {type(value).__name__}: {KINDS}")


def _text(name: str, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        raise InvalidMessage(f"field {name!r} is no text that UTF-8 can hold: {exc.reason} at character {exc.start}") from exc
    return str.__str__(value)


def _time(name: str, value: datetime) -> str:
    if value != value:
        raise InvalidMessage(f"field {name!r} holds {type(value).__name__}: {MISSING}")
    if value.tzinfo is None:
        return value.isoformat()
    try:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError as exc:
        raise InvalidMessage(f"field {name!r} is not between the years 1 and 9999") from exc
