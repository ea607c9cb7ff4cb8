"""JSON objects from strangers, decoded once, straight into typed rows; and when one is wrong, why, in words."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from driftloop.contracts.column_types import COLUMN_TYPES
from driftloop.contracts.foreign_json import UNDECODABLE
from driftloop.contracts.typed import prepared
from driftloop.errors import InvalidMessage

ALIKE_AFTER = 64  # objects with fields that nobody declared, one after another
LOOKED_AT = 16


class JsonObjects:
    """Objects with certain fields, by name and type; those in ``optional`` may be absent, which is null.

    Others are passed over. ``columns`` take the fields' values out of a row, in order. Where all objects have other fields, only
    every ``LOOKED_AT``-th is asked for them, for to refuse a field costs more than to decode the object; those between are taken
    for alike.
    """

    def __init__(self, fields: Mapping[str, Any], optional: Collection[str]) -> None:
        # Fields are called f0, f1, …: a feature may have a name that Python keeps for itself.
        given = [(f"f{i}", kind, None) if n in optional else (f"f{i}", kind) for i, (n, kind) in enumerate(fields.items())]
        rename = {f"f{i}": name for i, name in enumerate(fields)}

        def decoder(*, strict: bool) -> Callable[[Any], Any]:
            row = msgspec.defstruct("Row", given, rename=rename, kw_only=True, gc=False, forbid_unknown_fields=strict)
            return msgspec.json.Decoder(prepared(row)).decode

        self._strict, self._lax = decoder(strict=True), decoder(strict=False)
        self._more_in_a_row = self._taken_for_alike = 0
        self.columns = [attrgetter(f"f{i}") for i in range(len(fields))]

    def decode(self, value: Any) -> tuple[Any, bool]:
        """A row, and whether it had other fields. Raises InvalidMessage."""
        if value is None:
            raise InvalidMessage("null value where a JSON object was expected")
        try:
            return self._decoded(value)
        except UNDECODABLE as exc:
            raise InvalidMessage(reason(exc)) from exc

    def decode_all(self, values: Sequence[Any]) -> tuple[list[Any], int]:
        """The rows of objects that are all alike, and how many have other fields. Raises one of UNDECODABLE where any is wrong or
        is not as the others: then ``decode`` tells which."""
        if self._more_in_a_row >= ALIKE_AFTER:
            if all(self._without_more(value) is None for value in values[::LOOKED_AT]):
                b"\n".join(map(bytes, values)).decode()  # as in ``_more``
                return list(map(self._lax, values)), len(values)
            self._more_in_a_row = 0
        return list(map(self._strict, values)), 0

    def _decoded(self, value: Any) -> tuple[Any, bool]:
        if self._taken_for_alike:
            self._taken_for_alike -= 1
            return self._more(value), True
        row = self._without_more(value)
        if row is not None:
            self._more_in_a_row = 0
            return row, False
        self._more_in_a_row += 1
        if self._more_in_a_row >= ALIKE_AFTER:
            self._taken_for_alike = LOOKED_AT - 1
        return self._more(value), True

    def _without_more(self, value: Any) -> Any | None:
        """The row of an object that has no other fields; None for one that has."""
        try:
            return self._strict(value)
        except msgspec.ValidationError as exc:
            if "unknown field" not in str(exc):
                raise
        return None

    def _more(self, value: Any) -> Any:
        bytes(value).decode()  # msgspec passes over the bytes of what it does not know
        return self._lax(value)


_MESSAGE = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<field>.*)`)?", re.DOTALL)
_TIME = "send RFC 3339 with an offset, such as 2026-05-01T08:00:00Z or 2026-05-01T10:00:00+02:00"
_WORDS = {
    "Expected `datetime` with a timezone component": f"a time without its offset from UTC: {_TIME}",
    "Invalid RFC3339 encoded datetime": f"not a time: {_TIME}",
    "`object`": "a JSON object",
}
for _type in COLUMN_TYPES.values():
    _WORDS |= {f"`{_type.json_name} | null`": _type.json_words[1], f"`{_type.json_name}`": _type.json_words[0]}


def reason(exc: BaseException) -> str:
    """Why a JSON value was refused, for people. ``exc``: one of UNDECODABLE."""
    if isinstance(exc, UnicodeDecodeError):
        return f"broken UTF-8: {exc.reason} at byte {exc.start} of a string"
    if isinstance(exc, RecursionError):
        return "nested too deep"
    if isinstance(exc, OverflowError):
        return f"a value is out of range: {exc}"
    if isinstance(exc, msgspec.DecodeError) and not isinstance(exc, msgspec.ValidationError):
        return f"broken JSON: {str(exc).removeprefix('JSON is malformed: ')}"
    if not isinstance(exc, msgspec.ValidationError):
        return str(exc)
    match = _MESSAGE.fullmatch(str(exc))
    what, field = (match["what"], match["field"]) if match else (str(exc), None)
    for technical, plain in _WORDS.items():
        what = what.replace(technical, plain)
    what = what.replace("Object missing required field `", "required field missing: `").replace("`", "'")
    what = what[:1].lower() + what[1:]
    return f"field {field!r}: {what}" if field else what
