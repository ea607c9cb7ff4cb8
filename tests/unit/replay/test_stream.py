"""Rows of a file as a stream: ids that stay, labels when they became known, each row accounted for."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.training import jobs

from driftloop.contracts.windows import WindowPlan
from driftloop.errors import UserError
from driftloop.project.rules import BacktestData
from driftloop.replay.account import accounts
from driftloop.replay.stream import JUST_BEFORE_END, Stream, read_stream, window_ends, without
from driftloop.rows.schemas import label_schema, request_schema

START = jobs.START
PROJECT = jobs.project()
COLUMNS = {
    "event_time": [START + timedelta(days=9), START, START + timedelta(hours=1)],
    "price": [1.0, 2.0, None],
    "colour": ["red", None, "blue"],
    "bought": [True, False, None],
    "no": ["c", "a", "b"],
    "known": [None, START - timedelta(days=1), None],
}


def read(folder: Path, delay: timedelta | None = None, columns: dict[str, object] = COLUMNS, **data: object) -> Stream:
    pq.write_table(pa.table(columns), folder / "rows.parquet")
    project = msgspec.structs.replace(PROJECT, backtest=BacktestData(label="bought", **data))
    return read_stream(folder / "rows.parquet", project, delay)


def test_rows_come_in_the_order_of_their_times_in_the_streams_columns(tmp_path: Path) -> None:
    stream = read(tmp_path)
    assert stream.requests.schema == request_schema(PROJECT.schema)
    assert stream.labels.schema == label_schema(PROJECT.schema)
    assert stream.requests.column("event_id").to_pylist() == ["rows-1", "rows-2", "rows-0"]
    assert stream.requests.column("entity").to_pylist() == ["rows-1", "rows-2", "rows-0"]
    assert stream.labels.column("event_id").to_pylist() == ["rows-1", "rows-0"]
    assert read(tmp_path, event_id="no").requests.column("event_id").to_pylist() == ["a", "b", "c"]


def test_a_label_comes_when_the_file_says_else_just_before_its_window_closes_and_never_before_its_row(tmp_path: Path) -> None:
    end = timedelta(days=14) - timedelta(microseconds=JUST_BEFORE_END)
    at_end = dict(zip(("rows-1", "rows-0"), read(tmp_path).labels.column("label_time").to_pylist(), strict=True))
    assert at_end == {"rows-1": START + timedelta(days=7) - timedelta(microseconds=JUST_BEFORE_END), "rows-0": START + end}
    stated = read(tmp_path, label_time="known").labels.column("label_time").to_pylist()
    assert stated == [START, START + end]
    delayed = read(tmp_path, timedelta(days=2)).labels.column("label_time").to_pylist()
    assert delayed == [START + timedelta(days=2), START + timedelta(days=11)]


def test_ids_that_rows_share_are_refused_since_the_lake_takes_the_first(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="1 of 3 rows have an 'no' that another has, too, such as 'a'"):
        read(tmp_path, columns=COLUMNS | {"no": ["a", "a", "b"]}, event_id="no")


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=9), st.lists(st.integers(0, 10**6), min_size=2, max_size=5, unique=True))
def test_windows_end_where_the_plan_says(times: list[int], cuts: list[int]) -> None:
    import numpy as np

    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    plans = (WindowPlan(every=timedelta(days=7)), WindowPlan(cuts=tuple(epoch + timedelta(seconds=cut) for cut in sorted(cuts))))
    for plan in plans:
        for time, end in zip(times, window_ends(np.array(times), plan).tolist(), strict=True):
            window = plan.window_of(epoch + timedelta(microseconds=time))
            assert end == (time if window is None else (window.end - epoch) // timedelta(microseconds=1))


def test_what_the_lake_holds_is_not_sent_again_and_each_row_is_accounted_for(tmp_path: Path) -> None:
    stream = read(tmp_path)
    left = without(stream, pa.array(["rows-1"]), pa.array(["rows-0"]))
    assert left.requests.column("event_id").to_pylist() == ["rows-2", "rows-0"]
    assert left.labels.column("event_id").to_pylist() == ["rows-1"]

    stored = pa.chunked_array([["rows-0", "rows-1"], ["rows-2", "of another file"]])
    requests, labels = accounts(stream, stored, pa.chunked_array([["rows-1", "rows-0", "rows-0"]]))
    assert requests.ok
    assert str(requests) == "3 requests = 3 in the lake, each once"
    assert not labels.ok
    assert str(labels) == "2 labels, 1 in the lake once (more than once: rows-0)"
    none, _ = accounts(stream, pa.chunked_array([pa.array([], pa.string())]), stored)
    assert none.missing == ("rows-1", "rows-2", "rows-0")
