"""Types that msgspec may be told in any thread.

What msgspec knows of a Struct it builds on first use, and other threads see it half built: two that decode one type for the
first time at the same moment end the process (msgspec 0.22, measured: `tests/unit/test_typed.py`). Built once under a lock,
it is read by any number of them.
"""

import threading
from typing import Any, TypeVar, overload

import msgspec

T = TypeVar("T")

_building = threading.Lock()
_built: set[Any] = set()


@overload
def prepared(kind: type[T]) -> type[T]: ...
@overload
def prepared(kind: Any) -> Any: ...
def prepared(kind: Any) -> Any:
    """``kind`` itself, when msgspec knows all of it: what every ``type=`` of a decoder or a conversion is given."""
    if kind not in _built:
        with _building:
            msgspec.msgpack.Decoder(kind)
            _built.add(kind)
    return kind
