"""Rows to backtest on: a file's columns become a stream's rows with their labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq

from driftloop.contracts.schema import Feature
from driftloop.errors import UserError
from driftloop.project.model import Project
from driftloop.project.rules import BacktestData
from driftloop.rows.schemas import ARROW_TYPES, TIME

JOINED_BY = "-"  # the parts of an entity that several columns make


class Rows(NamedTuple):
    """``table``: event_id, event_time, entity, the features and ``label``, of the labelled rows, ordered by event time and then as
    they came. ``unlabelled``: how many rows had no label."""

    table: pa.Table
    unlabelled: int


def read_rows(path: Path, project: Project) -> Rows:
    """The rows of a Parquet, CSV or JSON-lines file, by the columns that ``[backtest]`` names.

    Raises UserError for a file that cannot be read, a column that is missing and values that are not what the project declares.
    """
    table = _read(path)
    wanted = project.backtest
    target = project.schema.target.name
    label = _column(path, table, wanted.label or (target if target in table.column_names else "label"), "label")
    times = _times(path, table, wanted)
    ids = _column(path, table, wanted.event_id, "event_id") if wanted.event_id else _numbers(table.num_rows)
    entity = _joined(path, table, wanted.entity) if wanted.entity else ids
    columns = {
        "event_id": _cast(path, "event_id", ids, pa.string()),
        "event_time": times,
        "entity": _cast(path, "entity", entity, pa.string()),
        **{feature.name: _feature(path, table, feature) for feature in project.schema.features},
        "label": _cast(path, "label", label, ARROW_TYPES[project.schema.target.type]),
    }
    whole = pa.table(columns)
    labelled = whole.filter(pc.is_valid(whole.column("label")))
    if not labelled.num_rows:
        raise UserError(f"{path}: none of {whole.num_rows} rows has a label")
    order = np.argsort(labelled.column("event_time").cast(pa.int64()).to_numpy(), kind="stable")
    return Rows(labelled.take(pa.array(order)).combine_chunks(), whole.num_rows - labelled.num_rows)


def _read(path: Path) -> pa.Table:
    readers = {".parquet": pq.read_table, ".csv": pa_csv.read_csv, ".jsonl": pa_json.read_json, ".ndjson": pa_json.read_json}
    read = readers.get(path.suffix)
    if read is None:
        raise UserError(f"{path}: a data file is one of {', '.join(readers)}")
    try:
        return read(path)
    except FileNotFoundError as exc:
        raise UserError(f"{path}: there is no such file") from exc
    except (OSError, pa.ArrowException) as exc:
        raise UserError(f"{path}: {exc}") from exc


def _column(path: Path, table: pa.Table, name: str, role: str) -> pa.ChunkedArray:
    if name not in table.column_names:
        known = ", ".join(table.column_names[:40])
        raise UserError(f"{path} has no column {name!r} for {role}; it has {known}: name the right one in [backtest] of driftloop.toml")
    column = table.column(name)
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _times(path: Path, table: pa.Table, wanted: BacktestData) -> pa.ChunkedArray:
    if not isinstance(wanted.event_time, str):
        return _dates(path, table, wanted.event_time)
    column = _column(path, table, wanted.event_time, "event_time")
    if pa.types.is_string(column.type):
        column = _cast(path, wanted.event_time, column, TIME if _zoned(column) else pa.timestamp("us"))
    if not (pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)):
        raise UserError(f"{path}: {wanted.event_time!r} holds {column.type}, no times")
    if column.null_count:
        raise UserError(f"{path}: {column.null_count} rows have no {wanted.event_time!r}")
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        return _cast(path, wanted.event_time, column, TIME)
    naive = _cast(path, wanted.event_time, column, pa.timestamp("us"))
    try:
        ZoneInfo(wanted.timezone)
        # an hour that a clock change skips or repeats: the later and the earlier moment, so that no row is lost
        return pc.assume_timezone(naive, wanted.timezone, ambiguous="earliest", nonexistent="latest").cast(TIME)
    except (ZoneInfoNotFoundError, ValueError) as exc:
        raise UserError(f"[backtest] timezone: {wanted.timezone!r} is no time zone") from exc


def _dates(path: Path, table: pa.Table, names: Sequence[str]) -> pa.ChunkedArray:
    """Midnight UTC of the days that columns of year, month and day tell; without one, the first."""
    numbers = [_cast(path, name, _column(path, table, name, "event_time"), pa.int32()) for name in names]
    if not 1 <= len(numbers) <= 3:
        raise UserError("[backtest] event_time: name a column of times, or columns of year, month and day")
    parts = [pc.fill_null(pc.cast(column, pa.string()), "?") for column in numbers] + [pa.scalar("1")] * (3 - len(numbers))
    try:
        return pc.strptime(pc.binary_join_element_wise(*parts, "-"), format="%Y-%m-%d", unit="us").cast(TIME)
    except pa.ArrowException as exc:
        raise UserError(f"{path}: {', '.join(names)} are no days in every row: {exc}") from exc


def _zoned(column: pa.ChunkedArray) -> bool:
    first = next((value for value in column.to_pylist() if value), "")
    return first.endswith("Z") or "+" in first[10:] or "-" in first[10:]


def _joined(path: Path, table: pa.Table, names: Sequence[str]) -> pa.ChunkedArray:
    parts = [_cast(path, name, _column(path, table, name, "entity"), pa.string()) for name in names]
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, JOINED_BY)


def _feature(path: Path, table: pa.Table, feature: Feature) -> pa.ChunkedArray:
    column = _column(path, table, feature.name, f"the feature {feature.name}")
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_finite(column), column, None)  # NaN is missing, as on the wire
    return _cast(path, feature.name, column, ARROW_TYPES[feature.type])


def _cast(path: Path, name: str, column: pa.ChunkedArray, to: pa.DataType) -> pa.ChunkedArray:
    if column.type == to:
        return column
    try:
        if pa.types.is_boolean(to) and not pa.types.is_boolean(column.type):
            column = column.cast(pa.int64())  # 0 and 1
        return column.cast(to)
    except pa.ArrowException as exc:
        raise UserError(f"{path}: column {name!r} holds {column.type}, which is not {to} in every row: {exc}") from exc


def _numbers(rows: int) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(np.arange(rows))])
