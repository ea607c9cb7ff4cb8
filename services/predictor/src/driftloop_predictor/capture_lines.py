"""Lines of the logs that serving systems keep, as values: SageMaker's data capture, and inference tables of MLflow on Databricks.

Both hold a call whole, request and response as text; one call may have asked about several rows. Pure.
"""

import base64
import binascii
import io
import math
from collections.abc import Iterator, Sequence
from csv import Error as NoCsv
from csv import reader as csv_lines
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from driftloop.contracts.column_types import COLUMN_TYPES
from driftloop.contracts.foreign_json import UNDECODABLE
from driftloop.contracts.headers import media_type, parse_time
from driftloop.contracts.schema import Feature, StreamSchema
from driftloop.contracts.typed import prepared
from driftloop.errors import InvalidMessage

MAX_ROWS = 5000  # of one call to /captured


class Call(NamedTuple):
    """One logged call: a JSON object for each row that was asked about, and what was answered to each. ``version``: null where the log
    does not say."""

    id: str
    time: datetime
    version: str | None
    rows: list[dict[str, Any]]
    answers: list[Any]


class _Payload(msgspec.Struct):
    data: str
    encoding: str = "JSON"
    observedContentType: str = ""


class _Captured(msgspec.Struct):
    endpointInput: _Payload | None = None
    endpointOutput: _Payload | None = None


class _About(msgspec.Struct):
    eventId: str
    inferenceTime: str
    inferenceId: str | None = None


class _Line(msgspec.Struct):
    """The fields of both: each knows its own."""

    captureData: _Captured | None = None
    eventMetadata: _About | None = None
    databricks_request_id: str | None = None
    client_request_id: str | None = None
    timestamp_ms: int | None = None
    request_time: str | None = None
    status_code: int | str | None = None
    request: str | None = None
    response: str | None = None
    request_metadata: dict[str, str | None] | None = None
    served_entity_id: str | None = None


class _Split(msgspec.Struct):
    columns: list[str]
    data: list[list[Any]]


class _Request(msgspec.Struct):
    dataframe_split: _Split | None = None
    dataframe_records: list[dict[str, Any]] | None = None
    instances: list[dict[str, Any]] | None = None
    inputs: list[dict[str, Any]] | None = None


class _Response(msgspec.Struct):
    predictions: list[Any]


_decode_line = msgspec.json.Decoder(prepared(_Line)).decode
_decode_request = msgspec.json.Decoder(prepared(_Request)).decode
_decode_object = msgspec.json.Decoder(prepared(dict[str, Any])).decode
_decode_response = msgspec.json.Decoder(prepared(_Response | list[Any])).decode


def read_call(line: bytes, schema: StreamSchema) -> Call | None:
    """None for a call that was answered with an error. Raises InvalidMessage in words for a person."""
    try:
        found = _decode_line(line)
    except UNDECODABLE as exc:
        raise InvalidMessage(f"not a line of a log: {exc}") from exc
    if found.captureData is not None:
        call = _sagemaker(found, schema)
    elif found.databricks_request_id is not None:
        if str(found.status_code or 200) != "200":
            return None
        call = _inference_table(found)
    else:
        raise InvalidMessage("neither a line of SageMaker's data capture (captureData) nor of an inference table (databricks_request_id)")
    if len(call.rows) != len(call.answers):
        raise InvalidMessage(f"the request has {len(call.rows)} rows, and the response {len(call.answers)} predictions")
    return call


def _sagemaker(line: _Line, schema: StreamSchema) -> Call:
    about, captured = line.eventMetadata, line.captureData
    if about is None or captured is None or captured.endpointInput is None or captured.endpointOutput is None:
        raise InvalidMessage("captured without eventMetadata, endpointInput or endpointOutput: capture both input and output")
    asked, answered = captured.endpointInput, captured.endpointOutput
    rows = _csv_rows(_text(asked), schema.features) if _is_csv(asked) else _json_rows(_text(asked))
    answers = _csv_answers(_text(answered)) if _is_csv(answered) else _json_answers(_text(answered))
    return Call(about.inferenceId or about.eventId, parse_time(about.inferenceTime), None, rows, answers)


def _inference_table(line: _Line) -> Call:
    if line.request is None or line.response is None or line.databricks_request_id is None:
        raise InvalidMessage("an inference table's line without request or response")
    if line.timestamp_ms is None and line.request_time is None:
        raise InvalidMessage("an inference table's line has timestamp_ms or request_time")
    time = parse_time(line.request_time) if line.timestamp_ms is None and line.request_time is not None else _of_ms(line.timestamp_ms or 0)
    version = (line.request_metadata or {}).get("model_version") or line.served_entity_id
    call_id = line.client_request_id or line.databricks_request_id
    return Call(call_id, time, version, _json_rows(line.request), _json_answers(line.response))


def _of_ms(milliseconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, OSError, ValueError) as exc:
        raise InvalidMessage(f"timestamp_ms {milliseconds} is outside of the calendar") from exc


def _is_csv(payload: _Payload) -> bool:
    return payload.encoding == "CSV" or (
        payload.encoding == "BASE64" and media_type(payload.observedContentType.encode(errors="replace")) == b"text/csv"
    )


def _text(payload: _Payload) -> str:
    if payload.encoding in ("CSV", "JSON"):
        return payload.data
    if payload.encoding != "BASE64":
        raise InvalidMessage(f"encoding {payload.encoding[:40]!r}: one of CSV, JSON, BASE64")
    try:
        return base64.b64decode(payload.data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise InvalidMessage(f"the captured data are no text in BASE64: {exc}") from exc


def _json_rows(text: str) -> list[dict[str, Any]]:
    try:
        found = _decode_request(text)
        if found.dataframe_split is not None:
            columns = found.dataframe_split.columns
            if len(set(columns)) < len(columns):
                raise InvalidMessage("dataframe_split names a column twice")
            return [dict(zip(columns, cells, strict=True)) for cells in found.dataframe_split.data]
        rows = next((each for each in (found.dataframe_records, found.instances, found.inputs) if each is not None), None)
        return [_decode_object(text)] if rows is None else rows
    except InvalidMessage:
        raise
    except UNDECODABLE as exc:
        raise InvalidMessage(
            f"the request is none of dataframe_split, dataframe_records, instances, inputs with named fields, or one JSON object: {exc}"
        ) from exc


def _json_answers(text: str) -> list[Any]:
    try:
        found = _decode_response(text)
    except UNDECODABLE as exc:
        raise InvalidMessage(f"the response is neither a list nor has it predictions: {exc}") from exc
    return found.predictions if isinstance(found, _Response) else found


def _csv_rows(text: str, features: Sequence[Feature]) -> list[dict[str, Any]]:
    """Cells in the order in which the project declares the features; CSV of this kind has no header."""
    rows = []
    for cells in _csv_lines(text):
        if len(cells) != len(features):
            raise InvalidMessage(f"{len(cells)} cells for the project's {len(features)} features, in the order in which it declares them")
        rows.append({feature.name: _cell(feature, cell) for feature, cell in zip(features, cells, strict=True)})
    return rows


def _csv_lines(text: str) -> Iterator[list[str]]:
    """Raises InvalidMessage: the module knows limits of its own."""
    try:
        yield from csv_lines(io.StringIO(text))
    except NoCsv as exc:
        raise InvalidMessage(f"the captured data are no CSV: {exc}") from exc


def _cell(feature: Feature, cell: str) -> Any:
    """In the feature's type, so that JSON's rules hold for it from here on; what is none stays text, and is refused by them."""
    text = cell.strip()
    if not text:
        return None
    try:
        value = msgspec.convert(text, prepared(COLUMN_TYPES[feature.type].json), strict=False)
    except msgspec.ValidationError:
        return text
    return text if isinstance(value, float) and math.isinf(value) else value  # JSON would make null of it


def _csv_answers(text: str) -> list[Any]:
    """The first cell of each line; a number with a point or an exponent is a score."""
    return [_number(cells[0]) if cells else None for cells in _csv_lines(text)]


def _number(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text.strip()
