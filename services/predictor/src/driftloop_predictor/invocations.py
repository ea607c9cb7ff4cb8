"""The bodies of ``POST /invocations``, as MLflow and SageMaker clients send them, turned into the stream's rows."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from driftloop.contracts.foreign_json import UNDECODABLE
from driftloop.contracts.typed import prepared
from driftloop.errors import InvalidMessage
from driftloop.rows.requests import RequestDecoder

MAX_ROWS = 1000


class TooManyRows(InvalidMessage):
    """More than one call may bring."""


class _Split(msgspec.Struct):
    """pandas' ``orient="split"``. The index says nothing to the model."""

    columns: list[str]
    data: list[msgspec.Raw]


class _Body(msgspec.Struct):
    dataframe_split: _Split | None = None
    dataframe_records: list[msgspec.Raw] | None = None
    instances: list[msgspec.Raw] | None = None


_FORMS = _Body.__struct_fields__
_decode = msgspec.json.Decoder(prepared(_Body)).decode
_decode_cells = msgspec.json.Decoder(prepared(list[msgspec.Raw])).decode


def read_rows(body: bytes, decoder: RequestDecoder) -> pa.Table:
    """All rows of the body. Raises InvalidMessage naming the first row and field that is wrong: a call counts as a whole."""
    try:
        parsed = _decode(body)
    except UNDECODABLE as exc:
        raise InvalidMessage(f"the body is not readable: {exc}") from exc
    given = [form for form in _FORMS if getattr(parsed, form) is not None]
    if len(given) != 1:
        raise InvalidMessage(
            f"the body must have exactly one of the fields {', '.join(_FORMS)}" + (f"; it has {', '.join(given)}" if given else "")
        )
    form, split = given[0], parsed.dataframe_split
    values: Sequence[Any] = split.data if split else getattr(parsed, form)
    if len(values) > MAX_ROWS:  # before anything is made of them
        raise TooManyRows(f"{len(values)} rows in one call; at most {MAX_ROWS}")
    if split:
        values = _objects(split, frozenset(decoder.schema.names))
    if not values:
        raise InvalidMessage(f"field {form!r} has no rows")
    decoded = decoder.decode_batch(values, [None] * len(values))
    if decoded.rejected:
        row, reason = decoded.rejected[0]
        raise InvalidMessage(f"{form}, row {row}: {reason}")
    return decoded.rows


def _objects(split: _Split, known: Collection[str]) -> Sequence[Any]:
    """A JSON object for each row. Columns that the stream does not know are ignored, as everywhere: their names, of whatever
    length, are not repeated in every row."""
    if len(set(split.columns)) != len(split.columns):
        raise InvalidMessage("dataframe_split: a column is named twice")
    names = [(i, msgspec.json.encode(name) + b":") for i, name in enumerate(split.columns) if name in known]
    rows = []
    for i, data in enumerate(split.data):
        try:
            values = _decode_cells(data)
        except UNDECODABLE as exc:
            raise InvalidMessage(f"dataframe_split, row {i}: {exc}") from exc
        if len(values) != len(split.columns):
            raise InvalidMessage(f"dataframe_split, row {i}: {len(values)} values for {len(split.columns)} columns")
        rows.append(b"{" + b",".join(name + bytes(values[at]) for at, name in names) + b"}")
    return rows
