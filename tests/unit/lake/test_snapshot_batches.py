"""A snapshot read in slices gives the rows and the order of one read at once, whatever lies across the slices."""

from datetime import timedelta

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from tests.support.lake_rows import TOPIC_ID, lake_inferences, lake_labels
from tests.support.traffic import event_id, event_time, small_schema

from driftloop.adapters.memory import MemoryStore
from driftloop.errors import IntegrityError
from driftloop.lake import sliced_join
from driftloop.lake.cursors import app_id
from driftloop.lake.parquet import encode_file
from driftloop.lake.snapshot import Content, PinnedFile, PinnedRange, Snapshot, read_snapshot
from driftloop.lake.snapshot_batches import batches_schema, snapshot_batches
from driftloop.lake.split import SplitRule
from driftloop.rows.schemas import TIME

SCHEMA = small_schema("sliced")
ROWS = 400
END = event_time(10**6)


def stored(store, parts, *, start=None, end=END, known=10**9):
    """A snapshot of these (table, rows), a file each."""
    files = []
    for number, (table, rows) in enumerate(parts):
        file = encode_file(rows, topic_id=TOPIC_ID, partition=0, first_offset=number)
        store.put(f"lake/sliced/{table}/{file.path}", file.data)
        files.append(PinnedFile(table=table, path=file.path, sha256=file.sha256, size=len(file.data), rows=file.rows))
    ranges = [
        PinnedRange(table=t, cursor=app_id(TOPIC_ID, 0), topic=t, topic_id=TOPIC_ID, partition=0, start=0, end=known)
        for t in ("inferences", "labels")
    ]
    content = Content(
        stream="sliced",
        start=start,
        end=end,
        ranges=tuple(ranges),
        schema_fingerprint=SCHEMA.fingerprint(),
        split=SplitRule(key="entity", salt="s"),
    )
    return Snapshot(content=content, files=tuple(files), inferences_version=1, labels_version=1)


def parts_of(inferences, labels, files=5):
    step = ROWS // files
    return [("inferences", inferences.slice(at, step)) for at in range(0, ROWS, step)] + [
        ("labels", labels.slice(at, step)) for at in range(0, ROWS, step)
    ]


def in_slices(store, snapshot, monkeypatch, rows=110, **options):
    """Read with so little memory that a slice is about so many rows."""
    monkeypatch.setattr(sliced_join.SlicedJoin, "_rows_per_slice", lambda self, groups: rows)
    seen = []
    batches = list(snapshot_batches(store, snapshot, SCHEMA, memory_bytes=1, progress=lambda *step: seen.append(step), **options))
    assert max(total for what, _, total in seen if what == "joining") > 3, "it was not cut"
    return pa.Table.from_batches(batches)


@pytest.fixture
def store():
    return MemoryStore()


@pytest.mark.parametrize("options", [{}, {"keep_unlabelled": True}, {"columns": ["amount"]}, {"columns": ["event_id", "kind"]}])
def test_the_rows_are_those_of_one_read(store, monkeypatch, options):
    snapshot = stored(store, parts_of(lake_inferences(SCHEMA, 0, 0, ROWS), lake_labels(SCHEMA, 0, 0, ROWS - 50)))
    found = in_slices(store, snapshot, monkeypatch, **options)
    assert found.equals(read_snapshot(store, snapshot, SCHEMA, **options))
    assert found.num_rows == (ROWS if options.get("keep_unlabelled") else ROWS - 50)


def test_files_whose_times_lie_all_over_the_place_are_split_up(store, monkeypatch):
    order = pa.array([n * 7 % ROWS for n in range(ROWS)])
    inferences, labels = lake_inferences(SCHEMA, 0, 0, ROWS).take(order), lake_labels(SCHEMA, 0, 0, ROWS).take(order)
    snapshot = stored(store, parts_of(inferences, labels))
    assert in_slices(store, snapshot, monkeypatch).equals(read_snapshot(store, snapshot, SCHEMA))


def test_rows_outside_of_window_and_offsets_stay_out(store, monkeypatch):
    parts = parts_of(lake_inferences(SCHEMA, 0, 0, ROWS), lake_labels(SCHEMA, 0, 0, ROWS))
    snapshot = stored(store, parts, start=event_time(13), end=event_time(390), known=371)
    found = in_slices(store, snapshot, monkeypatch)
    assert found["event_id"].to_pylist() == [event_id(0, n) for n in range(13, 371)]
    assert found.equals(read_snapshot(store, snapshot, SCHEMA))


def moved(rows, shifts):
    """Some rows' event time is another one, by so many seconds."""
    times = rows["event_time"].to_pylist()
    for n, seconds in shifts.items():
        times[n] += timedelta(seconds=seconds)
    return rows.set_column(rows.schema.get_field_index("event_time"), rows.schema.field("event_time"), pa.array(times, TIME))


SHIFTS = st.dictionaries(st.integers(0, ROWS - 1), st.integers(-ROWS, ROWS), max_size=30)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(copies=SHIFTS, corrections=SHIFTS, mistimed=SHIFTS, keep=st.booleans())
def test_copies_and_labels_with_other_times_are_joined_as_if_all_were_in_memory(monkeypatch, copies, corrections, mistimed, keep):
    store = MemoryStore()
    inferences, labels = lake_inferences(SCHEMA, 0, 0, ROWS), moved(lake_labels(SCHEMA, 0, 0, ROWS), mistimed)
    again = moved(inferences, copies).take(pa.array(sorted(copies), pa.int64()))
    corrected = moved(lake_labels(SCHEMA, 0, 0, ROWS, value=False, delay_seconds=900), corrections)
    corrected = corrected.take(pa.array(sorted(corrections), pa.int64()))
    more = [(t, rows) for t, rows in (("inferences", again), ("labels", corrected)) if rows.num_rows]
    snapshot = stored(store, [*parts_of(inferences, labels), *more])
    found = in_slices(store, snapshot, monkeypatch, keep_unlabelled=keep)
    assert found.equals(read_snapshot(store, snapshot, SCHEMA, keep_unlabelled=keep))


def test_labels_that_all_name_another_time_are_joined_on_disk(store, monkeypatch):
    labels = moved(lake_labels(SCHEMA, 0, 0, ROWS), dict.fromkeys(range(ROWS), 300))
    snapshot = stored(store, parts_of(lake_inferences(SCHEMA, 0, 0, ROWS), labels))
    found = in_slices(store, snapshot, monkeypatch)
    assert found.num_rows == ROWS
    assert found.equals(read_snapshot(store, snapshot, SCHEMA))


@pytest.mark.parametrize("memory", [1, 1 << 30])
def test_a_changed_file_is_refused_before_the_first_row(store, memory):
    snapshot = stored(store, parts_of(lake_inferences(SCHEMA, 0, 0, ROWS), lake_labels(SCHEMA, 0, 0, ROWS)))
    key = f"lake/sliced/labels/{snapshot.files[-1].path}"
    store.put(key, store.get(key)[:-1])
    with pytest.raises(IntegrityError, match=snapshot.files[-1].sha256):
        next(snapshot_batches(store, snapshot, SCHEMA, memory_bytes=memory))


def test_a_small_snapshot_is_read_at_once_and_leaves_the_disk_alone(store, tmp_path):
    snapshot = stored(store, parts_of(lake_inferences(SCHEMA, 0, 0, ROWS), lake_labels(SCHEMA, 0, 0, ROWS)))
    batches = snapshot_batches(store, snapshot, SCHEMA, folder=tmp_path)
    first = next(batches)
    assert not list(tmp_path.iterdir())
    found = pa.Table.from_batches([first, *batches])
    assert found.equals(read_snapshot(store, snapshot, SCHEMA))
    assert found.schema == batches_schema(SCHEMA)


def test_nothing_is_left_on_the_disk(store, tmp_path):
    snapshot = stored(store, parts_of(lake_inferences(SCHEMA, 0, 0, ROWS), lake_labels(SCHEMA, 0, 0, ROWS)))
    batches = snapshot_batches(store, snapshot, SCHEMA, folder=tmp_path, memory_bytes=1)
    next(batches)
    assert list(tmp_path.iterdir())
    batches.close()
    assert not list(tmp_path.iterdir())


def test_an_empty_snapshot_has_no_rows(store):
    assert sum(batch.num_rows for batch in snapshot_batches(store, stored(store, []), SCHEMA, memory_bytes=0)) == 0
