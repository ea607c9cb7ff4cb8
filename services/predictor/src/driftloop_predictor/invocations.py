"""The bodies of ``POST /invocations``, as MLflow and SageMaker clients send them, turned into the stream's rows."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa

from driftloop.errors import InvalidMessage
from driftloop.rows.requests import RequestDecoder

MAX_ROWS = 1000


class TooManyRows(InvalidMessage):
    """More than one call may bring."""


class _Split(msgspec.Struct):
    """pandas' ``orient="split"``. The index says nothing to the model."""

    columns: list[str]
    data: list[list[msgspec.Raw]]


class _Body(msgspec.Struct):
    dataframe_split: _Split | None = None
    dataframe_records: list[msgspec.Raw] | None = None
    instances: list[msgspec.Raw] | None = None


_FORMS = _Body.__struct_fields__
_decode = msgspec.json.Decoder(_Body).decode


def read_rows(body: bytes, decoder: RequestDecoder) -> pa.Table:
    """All rows of the body. Raises InvalidMessage naming the first row and field that is wrong: a call counts as a whole."""
    try:
        parsed = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise InvalidMessage(f"the body is not readable: {exc}") from exc
    given = [form for form in _FORMS if getattr(parsed, form) is not None]
    if len(given) != 1:
        raise InvalidMessage(
            f"the body must have exactly one of the fields {', '.join(_FORMS)}" + (f"; it has {', '.join(given)}" if given else "")
        )
    form = given[0]
    values = _objects(parsed.dataframe_split) if parsed.dataframe_split else getattr(parsed, form)
    if len(values) > MAX_ROWS:
        raise TooManyRows(f"{len(values)} rows in one call; at most {MAX_ROWS}")
    if not values:
        raise InvalidMessage(f"field {form!r} has no rows")
    decoded = decoder.decode_batch(values, [None] * len(values))
    if decoded.rejected:
        row, reason = decoded.rejected[0]
        raise InvalidMessage(f"{form}, row {row}: {reason}")
    return decoded.rows


def _objects(split: _Split) -> Sequence[Any]:
    if len(set(split.columns)) != len(split.columns):
        raise InvalidMessage("dataframe_split: a column is named twice")
    names = [msgspec.json.encode(name) + b":" for name in split.columns]
    rows = []
    for i, values in enumerate(split.data):
        if len(values) != len(names):
            raise InvalidMessage(f"dataframe_split, row {i}: {len(values)} values for {len(names)} columns")
        rows.append(b"{" + b",".join(name + bytes(value) for name, value in zip(names, values, strict=True)) + b"}")
    return rows
