"""Rows of tables as they are within a bound of memory: what comes out is what one join of all of them gives."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.support.lake_rows import append, flush_of, lake_inferences, lake_labels
from tests.support.traffic import event_time

from driftloop.datasets.as_of import AsOf, known_below
from driftloop.datasets.dataset import joined_rows
from driftloop.errors import UserError
from driftloop.lake import known_rows, newest_labelled
from driftloop.lake.commit import commit, store_files
from driftloop.lake.known_rows import labelled_rows
from driftloop.lake.newest_labelled import newest_labelled_time

ROWS, FILES = 4000, 8
FAR = datetime(9999, 12, 1, tzinfo=UTC)
LITTLE = 1  # byte: the least slices, of 1,000 rows


@pytest.fixture
def tables(open_table, store, schema):
    """Labels of the first half; some corrections; some rows twice."""
    inferences, labels = open_table("inferences"), open_table("labels")
    step = ROWS // FILES
    for at in range(0, ROWS, step):
        append(store, inferences, lake_inferences(schema, 0, at, at + step), at)
        if at < ROWS // 2:
            append(store, labels, lake_labels(schema, 0, at, at + step), at)
    append(store, labels, lake_labels(schema, 0, 100, 200, value=False, delay_seconds=900), ROWS // 2)
    append(store, inferences, lake_inferences(schema, 0, 700, 1300), ROWS)
    return inferences, labels


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("columns", [None, ["score", "model_version"]])
def test_labelled_rows_are_the_same_in_slices(tables, monkeypatch, keep, columns):
    options = {"start": event_time(50), "end": event_time(3900), "columns": columns, "keep_unlabelled": keep}
    whole = labelled_rows(*tables, **options)
    joins = []
    joined = known_rows.SlicedJoin
    monkeypatch.setattr(known_rows, "SlicedJoin", lambda *args, **more: joins.append(1) or joined(*args, **more))
    assert labelled_rows(*tables, **options, memory_bytes=LITTLE).equals(whole)
    assert joins, "they were joined at once"
    assert whole.num_rows == (3850 if keep else 1950)


@pytest.mark.parametrize("offsets", [None, {0: 1500}])
def test_a_dataset_is_the_same_in_slices(tables, offsets):
    inferences, labels = AsOf(tables[0]), AsOf(tables[1]) if offsets is None else known_below(tables[1], offsets)
    schema, whole = joined_rows(inferences, labels, end=event_time(3900))
    sliced_schema, sliced = joined_rows(inferences, labels, end=event_time(3900), memory_bytes=LITTLE)
    assert sliced_schema == schema
    batches = list(sliced(300))
    assert max(batch.num_rows for batch in batches) <= 300
    found = pa.Table.from_batches(batches, schema)
    assert found.equals(pa.Table.from_batches(whole(1000), schema))
    assert found["label"].null_count == (1900 if offsets is None else 2400)


def test_a_folder_without_room_is_a_sentence(tables, tmp_path):
    with pytest.raises(UserError, match="do not fit below"):
        labelled_rows(*tables, start=None, end=event_time(ROWS), memory_bytes=LITTLE, folder=tmp_path / "none")


@pytest.mark.parametrize("before", [None, event_time(ROWS), event_time(1999), event_time(777)])
def test_the_newest_labelled_event_is_that_of_one_join_of_everything(tables, monkeypatch, before):
    everything = labelled_rows(*tables, start=None, end=before or FAR, columns=["event_time"])
    for most in (1, 700, 500_000):
        monkeypatch.setattr(newest_labelled, "MOST_ROWS", most)
        assert newest_labelled_time(*tables, before=before) == pc.max(everything["event_time"]).as_py()


def test_it_reads_the_last_files_and_not_those_before_them_nor_what_nobody_labelled(tables, monkeypatch, open_table, proxy, settings):
    import msgspec

    through = msgspec.structs.replace(settings, endpoint=proxy.endpoint)
    monkeypatch.setattr(newest_labelled, "MOST_ROWS", 1000)
    seen = [open_table(name, through=through) for name in ("inferences", "labels")]
    proxy.seen.clear()
    assert newest_labelled_time(*seen, before=None) == event_time(ROWS // 2 - 1)
    read = {line.split()[1].partition("?")[0] for line in proxy.seen if ".parquet" in line and "_delta_log" not in line}
    assert 0 < len(read) <= 3, f"of {FILES + FILES // 2 + 2}"


def test_no_label_is_none(open_table, store, schema):
    inferences, labels = open_table("inferences"), open_table("labels")
    assert newest_labelled_time(inferences, labels, None) is None
    append(store, inferences, lake_inferences(schema, 0, 0, 10), 0)
    append(store, labels, lake_labels(schema, 1, 0, 10), 0)
    assert newest_labelled_time(inferences, labels, None) is None


def dated(rows, time):
    at = rows.schema.get_field_index("label_time")
    return rows.set_column(at, rows.schema.field(at), pa.array([time] * rows.num_rows, rows.schema.field(at).type))


@pytest.mark.parametrize("memory", [LITTLE, 1 << 30])
def test_a_label_that_an_earlier_release_took_up_with_a_time_to_come_is_corrected_by_any_later_one(open_table, store, schema, memory):
    inferences, labels = open_table("inferences"), open_table("labels")
    append(store, inferences, lake_inferences(schema, 0, 0, 1200), 0)
    append(store, labels, dated(lake_labels(schema, 0, 0, 1200, value=False), FAR), 0)
    now = datetime.now(UTC)
    correction = dated(lake_labels(schema, 0, 0, 600), now)
    flush = flush_of(correction, 0, 1200, 1800, topic=f"{schema.stream}.labels")
    flush = type(flush)(moves=flush.moves, files=flush.files, caps_label_times=True)
    store_files(store, labels, flush)
    note = commit(labels, store, flush)
    assert note.uncapped.ends == {flush.moves[0].cursor: 1200}
    assert timedelta(0) < note.uncapped.until - now < timedelta(minutes=10)
    rows = labelled_rows(inferences, labels, start=None, end=event_time(1200), memory_bytes=memory)
    assert rows["label"].to_pylist() == [True] * 600 + [False] * 600
    schema_, batches = joined_rows(AsOf(inferences), AsOf(labels), memory_bytes=memory)
    assert pa.Table.from_batches(batches(500), schema_)["label"].to_pylist() == [True] * 600 + [False] * 600
