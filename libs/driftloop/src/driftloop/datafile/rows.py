"""Rows of a file: its columns become a stream's rows with their labels, by what the project says in ``[backtest]``."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.column_types import FeatureType
from driftloop.datafile.reading import named_column, read_table
from driftloop.datafile.values import NotOfType, TimeWriting, as_type
from driftloop.errors import UserError
from driftloop.project.model import Project
from driftloop.project.rules import BacktestData
from driftloop.rows.schemas import TIME

JOINED_BY = "-"  # the parts of an entity that several columns make


class Rows(NamedTuple):
    """``table``: event_id, event_time, entity, the features, ``label`` and ``label_time`` of the labelled rows, ordered by event time
    and then as they came. ``unlabelled``: how many rows had no label. ``served``: of the lake of a model that is served elsewhere,
    those rows that it answered, with prediction, score and label."""

    table: pa.Table
    unlabelled: int
    served: pa.Table | None = None


def read_rows(path: Path, project: Project) -> Rows:
    """The labelled rows of a file. Raises UserError as ``read_all``, and where none is labelled."""
    whole = read_all(path, project)
    labelled = whole.filter(pc.is_valid(whole.column("label"))).combine_chunks()
    if not labelled.num_rows:
        raise UserError(f"{path}: none of {whole.num_rows} rows has a label")
    return Rows(labelled, whole.num_rows - labelled.num_rows)


def read_all(path: Path, project: Project) -> pa.Table:
    """Every row of a Parquet, CSV or JSON-lines file, labelled or not, in the columns of ``Rows``; ``label_time`` is null where the
    project names no column for it.

    Raises UserError for a file that cannot be read, a column that is missing and values that are not what the project declares.
    """
    wanted = project.backtest
    table = read_table(path, wanted.missing)
    target = project.schema.target.name
    label = named_column(path, table, wanted.label or (target if target in table.column_names else "label"), "label")
    times = _times(path, table, wanted)
    ids = named_column(path, table, wanted.event_id, "event_id") if wanted.event_id else _numbers(table.num_rows)
    if wanted.event_id and ids.null_count:
        raise UserError(f"{path}: {ids.null_count:,} rows have no {wanted.event_id!r}, which is their event_id")
    entity = _joined(path, table, wanted.entity) if wanted.entity else ids
    columns = {
        "event_id": _as(path, "event_id", ids, "category"),
        "event_time": times,
        "entity": _as(path, "entity", entity, "category"),
        **{feature.name: _feature(path, table, wanted, feature.name, feature.type) for feature in project.schema.features},
        "label": _as(path, "label", label, project.schema.target.type),
        "label_time": _label_times(path, table, wanted),
    }
    whole = pa.table(columns)
    order = np.argsort(whole.column("event_time").cast(pa.int64()).to_numpy(), kind="stable")
    return whole.take(pa.array(order)).combine_chunks()


def _times(path: Path, table: pa.Table, wanted: BacktestData) -> pa.ChunkedArray:
    if not isinstance(wanted.event_time, str):
        return _dates(path, table, wanted.event_time)
    column = named_column(path, table, wanted.event_time, "event_time")
    try:
        times = as_type(column, "datetime", TimeWriting(wanted.time_format, wanted.timezone))
    except NotOfType as exc:
        raise UserError(
            f"{path}: column {wanted.event_time!r} {exc}; write every time alike, or name another way in [backtest] time_format"
        ) from exc
    if times.null_count:
        raise UserError(f"{path}: {times.null_count} rows have no {wanted.event_time!r}")
    return times


def _label_times(path: Path, table: pa.Table, wanted: BacktestData) -> pa.ChunkedArray:
    if wanted.label_time is None:
        return pa.chunked_array([pa.nulls(table.num_rows, TIME)])
    column = named_column(path, table, wanted.label_time, "label_time")
    return _as(path, wanted.label_time, column, "datetime", TimeWriting(wanted.time_format, wanted.timezone))


def _dates(path: Path, table: pa.Table, names: Sequence[str]) -> pa.ChunkedArray:
    """Midnight UTC of the days that columns of year, month and day tell; without one, the first."""
    numbers = [_as(path, name, named_column(path, table, name, "event_time"), "integer") for name in names]
    if not 1 <= len(numbers) <= 3:
        raise UserError("[backtest] event_time: name a column of times, or columns of year, month and day")
    parts = [pc.fill_null(pc.cast(column, pa.string()), "?") for column in numbers] + [pa.scalar("1")] * (3 - len(numbers))
    try:
        return pc.strptime(pc.binary_join_element_wise(*parts, "-"), format="%Y-%m-%d", unit="us").cast(TIME)
    except pa.ArrowException as exc:
        raise UserError(f"{path}: {', '.join(names)} are no days in every row: {exc}") from exc


def _joined(path: Path, table: pa.Table, names: Sequence[str]) -> pa.ChunkedArray:
    parts = [_as(path, name, named_column(path, table, name, "entity"), "category") for name in names]
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, JOINED_BY)


def _feature(path: Path, table: pa.Table, wanted: BacktestData, name: str, kind: FeatureType) -> pa.ChunkedArray:
    called = wanted.columns.get(name, name)
    column = named_column(path, table, called, f"the feature {name}")
    # each column of times in its own way: what is no event time is ISO 8601, or as the event times are
    return _as(path, called, column, kind, TimeWriting(wanted.time_format, wanted.timezone))


def _as(
    path: Path,
    name: str,
    column: pa.ChunkedArray,
    kind: FeatureType,
    writing: TimeWriting = TimeWriting(),  # noqa: B008 - immutable
) -> pa.ChunkedArray:
    try:
        return as_type(column, kind, writing)
    except NotOfType as exc:
        if kind == "datetime" and writing.written is not None:
            try:
                return as_type(column, kind, TimeWriting(None, writing.timezone))
            except NotOfType:
                pass
        remedy = "correct the file, declare another type, or name a word for missing values in [backtest] missing"
        raise UserError(f"{path}: column {name!r} {exc}; {remedy}") from exc


def _numbers(rows: int) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(np.arange(rows))])
