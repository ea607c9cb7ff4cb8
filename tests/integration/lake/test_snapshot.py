"""A snapshot names content, and reads exactly the bytes that it was pinned from."""

import pytest
from tests.support.lake_rows import flush_of, lake_inferences, lake_labels
from tests.support.sample_project import sample_project
from tests.support.traffic import event_id, event_time

from driftloop.errors import IntegrityError, ObjectNotFound
from driftloop.lake.commit import commit, store_files
from driftloop.lake.join import labelled_rows
from driftloop.lake.manifests import snapshot_key
from driftloop.lake.pinning import pin
from driftloop.lake.snapshot import load_snapshot, read_snapshot

END = event_time(1000)


@pytest.fixture
def tables(open_table, store, schema):
    """Twenty inferences and their labels, in two files each."""
    inferences, labels = open_table("inferences"), open_table("labels")
    for at in (0, 10):
        add(store, inferences, lake_inferences(schema, 0, at, at + 10), at)
        add(store, labels, lake_labels(schema, 0, at, at + 10), at)
    return inferences, labels


@pytest.fixture
def project(schema):
    return sample_project(schema)


def add(store, table, rows, at):
    flush = flush_of(rows, 0, at, at + rows.num_rows)
    store_files(store, table, flush)
    commit(table, store, flush)


def test_a_pinned_snapshot_reads_the_same_whatever_comes_later(store, project, schema, tables):
    digest, snapshot = pin(store, project, *tables, start=None, end=END)
    before = read_snapshot(store, snapshot, schema)
    assert before["event_id"].to_pylist() == [event_id(0, n) for n in range(20)]
    add(store, tables[0], lake_inferences(schema, 0, 20, 30), 20)
    add(store, tables[1], lake_labels(schema, 0, 20, 30), 20)
    assert labelled_rows(*tables, start=None, end=END).num_rows == 30
    assert read_snapshot(store, load_snapshot(store, project.stream, digest), schema).equals(before)


def test_the_rows_are_those_of_the_tables(store, project, schema, tables):
    _, snapshot = pin(store, project, *tables, start=event_time(5), end=event_time(15))
    pinned = read_snapshot(store, snapshot, schema, columns=["event_id", "amount"], keep_unlabelled=True)
    joined = labelled_rows(*tables, start=event_time(5), end=event_time(15), columns=["event_id", "amount"], keep_unlabelled=True)
    assert pinned.equals(joined)
    assert pinned.num_rows == 10


def test_only_files_that_touch_the_interval_are_pinned(store, project, tables):
    _, snapshot = pin(store, project, *tables, start=event_time(12), end=event_time(15))
    assert snapshot.rows == {"inferences": 10, "labels": 10}


def test_the_digest_names_offsets_interval_schema_and_split(store, project, schema, tables):
    digest, snapshot = pin(store, project, *tables, start=None, end=END)
    assert pin(store, project, *tables, start=None, end=END) == (digest, snapshot)
    assert [(r.table, r.partition, r.start, r.end) for r in snapshot.content.ranges] == [("inferences", 0, 0, 20), ("labels", 0, 0, 20)]
    others = {
        pin(store, project, *tables, start=event_time(0), end=END)[0],
        pin(store, sample_project(schema, split_salt="other"), *tables, start=None, end=END)[0],
    }
    add(store, tables[1], lake_labels(schema, 0, 20, 21), 20)
    others.add(pin(store, project, *tables, start=None, end=END)[0])
    assert len({digest, *others}) == 4


def test_compaction_changes_files_but_neither_digest_nor_rows(store, project, schema, tables, open_table):
    digest, snapshot = pin(store, project, *tables, start=None, end=END)
    before = read_snapshot(store, snapshot, schema)
    for name in ("inferences", "labels"):
        open_table(name).delta.optimize.compact()
    compacted = open_table("inferences"), open_table("labels")
    assert [len(table.files()) for table in compacted] == [1, 1]
    assert pin(store, project, *compacted, start=None, end=END) == (digest, snapshot)  # the first manifest stands
    store.delete(snapshot_key(project.stream, digest))
    again, from_compacted = pin(store, project, *compacted, start=None, end=END)
    assert again == digest
    assert read_snapshot(store, from_compacted, schema).equals(before)


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:100] + b"x" + data[101:], None])
def test_a_damaged_or_missing_file_is_refused(store, project, schema, tables, damage):
    _, snapshot = pin(store, project, *tables, start=None, end=END)
    key = f"{tables[0].root}/{snapshot.files[0].path}"
    if damage is None:
        store.delete(key)
    else:
        store.put(key, damage(store.get(key)))
    with pytest.raises(IntegrityError, match=snapshot.files[0].sha256):
        read_snapshot(store, snapshot, schema)


def test_another_manifest_under_the_name_is_refused(store, project, tables):
    digest, _ = pin(store, project, *tables, start=None, end=END)
    other, _ = pin(store, project, *tables, start=event_time(3), end=END)
    store.put(snapshot_key(project.stream, digest), store.get(snapshot_key(project.stream, other)))
    with pytest.raises(IntegrityError, match=other):
        load_snapshot(store, project.stream, digest)
    store.put(snapshot_key(project.stream, digest), b"{}")
    with pytest.raises(IntegrityError):
        load_snapshot(store, project.stream, digest)
    with pytest.raises(ObjectNotFound):
        load_snapshot(store, project.stream, "0" * 64)


def test_a_manifest_whose_schema_was_changed_is_refused(store, project, schema, tables):
    digest, snapshot = pin(store, project, *tables, start=None, end=END)
    assert snapshot.schema == schema
    key = snapshot_key(project.stream, digest)
    store.put(key, store.get(key).replace(b'"type":"boolean"', b'"type":"category"', 1))
    with pytest.raises(IntegrityError, match="schema"):
        load_snapshot(store, project.stream, digest)


def test_a_snapshot_is_not_read_under_another_schema(store, project, schema, tables):
    _, snapshot = pin(store, project, *tables, start=None, end=END)
    narrower = type(schema)(stream=schema.stream, features=schema.features[:1], target=schema.target)
    with pytest.raises(IntegrityError, match="schema"):
        read_snapshot(store, snapshot, narrower)
