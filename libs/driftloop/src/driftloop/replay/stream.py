"""Rows of a file as a stream: what is asked and when, and when its label becomes known."""

from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.windows import WindowPlan
from driftloop.datafile.rows import read_all
from driftloop.errors import UserError
from driftloop.project.model import Project
from driftloop.rows.schemas import TIME, label_schema, request_schema
from driftloop.training.recipes import micros

JUST_BEFORE_END = 1  # microsecond: a label that comes at a window's end is known when the window closes


class Stream(NamedTuple):
    """``requests`` as ``request_schema`` says, ordered by (event time, event id); ``labels`` as ``label_schema`` says, ordered by (label
    time, event id). A row without a label has none there."""

    requests: pa.Table
    labels: pa.Table

    @property
    def rows(self) -> int:
        return len(self.requests) + len(self.labels)


def read_stream(path: Path, project: Project, delay: timedelta | None = None) -> Stream:
    """The file's rows, read as a backtest reads them. A label becomes known ``delay`` after the event; without one when the file's
    ``label_time`` says, and where that says nothing at the end of its window.

    Event ids are the file's own, or made of its name and the row's number, so that the same file always gives the same ones.
    Raises UserError, as ``read_all``, and for event ids that are not each row's own.
    """
    table = read_all(path, project)
    ids = table.column("event_id")
    if not project.backtest.event_id:
        ids = pc.binary_join_element_wise(path.stem, ids, "-")
    _check_ids(path, ids, project)
    times = table.column("event_time")
    entity = pc.fill_null(table.column("entity"), ids) if project.backtest.entity else ids
    wanted = request_schema(project.schema)
    columns = {"event_id": ids, "event_time": times, "entity": entity}
    requests = pa.table([columns[n] if n in columns else table.column(n) for n in wanted.names], schema=wanted)
    known = _label_times(table, project.windows, delay)
    labels = pa.table(
        [ids, times, table.column("label"), known], schema=pa.schema([f.with_nullable(True) for f in label_schema(project.schema)])
    )
    labels = labels.filter(pc.is_valid(labels.column("label"))).cast(label_schema(project.schema))
    return Stream(ordered(requests, "event_time"), ordered(labels, "label_time"))


def ordered(table: pa.Table, by: str) -> pa.Table:
    return table.sort_by([(by, "ascending"), ("event_id", "ascending")]).combine_chunks()


def without(stream: Stream, requests: pa.Array, labels: pa.Array) -> Stream:
    """The rows whose event ids are not among those."""

    def kept(table: pa.Table, ids: pa.Array) -> pa.Table:
        return table.filter(pc.invert(pc.is_in(table.column("event_id"), value_set=ids)))

    return Stream(kept(stream.requests, requests), kept(stream.labels, labels))


def _check_ids(path: Path, ids: pa.ChunkedArray, project: Project) -> None:
    different = pc.count_distinct(ids).as_py()
    if different == len(ids):
        return
    counts = pc.value_counts(ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids)
    twice = counts.filter(pc.greater(pc.struct_field(counts, "counts"), 1))[0]["values"].as_py()
    told = f"{len(ids) - different:,} of {len(ids):,} rows have an {project.backtest.event_id!r} that another has, too, such as {twice!r}"
    raise UserError(f"{path}: {told}: of rows with one id the lake takes the first; leave [backtest] event_id out, and rows are numbered")


def _label_times(table: pa.Table, plan: WindowPlan, delay: timedelta | None) -> pa.ChunkedArray:
    """Never before the event."""
    times = table.column("event_time").cast(pa.int64()).to_numpy()
    if delay is not None:
        return pa.chunked_array([pa.array(times + delay // timedelta(microseconds=1), pa.int64()).cast(TIME)])
    ends = np.maximum(window_ends(times, plan) - JUST_BEFORE_END, times)
    at_end = pa.chunked_array([pa.array(ends, pa.int64()).cast(TIME)])
    stated = table.column("label_time")
    later = pc.if_else(pc.greater(stated, table.column("event_time")), stated, table.column("event_time"))
    return pc.if_else(pc.is_valid(stated), later, at_end)


def window_ends(times: npt.NDArray[np.int64], plan: WindowPlan) -> npt.NDArray[np.int64]:
    """Of each time, in microseconds, the end of its window; the time itself where it falls into none."""
    if plan.every is not None:
        length = plan.every // timedelta(microseconds=1)
        return (times // length + 1) * length
    cuts = np.array([micros(cut) for cut in plan.cuts], dtype=np.int64)
    after = np.searchsorted(cuts, times, side="right")
    inside = (after > 0) & (after < len(cuts))
    return np.where(inside, cuts[np.minimum(after, len(cuts) - 1)], times)
