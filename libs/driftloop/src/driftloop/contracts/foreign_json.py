"""JSON that others wrote, decoded into a type or refused: one rule for headers, events and rows."""

from typing import TypeVar

import msgspec

from driftloop.contracts.typed import prepared
from driftloop.errors import InvalidMessage

T = TypeVar("T")

# All that decoding has been seen to raise: also ValueError (broken UTF-8, integers of thousands of digits) and TypeError (null).
UNDECODABLE = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError, TypeError)


def decoded(value: bytes, kind: type[T], what: str) -> T:
    """``value`` as ``kind``. Raises InvalidMessage, which begins with ``what``."""
    try:
        return msgspec.json.decode(value, type=prepared(kind))
    except RecursionError as exc:
        raise InvalidMessage(f"{what}: nested too deep") from exc
    except UNDECODABLE as exc:
        raise InvalidMessage(f"{what}: {exc}") from exc
