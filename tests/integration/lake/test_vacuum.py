"""What is deleted, and above all what is not: nothing that anybody names, or may yet name."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.support.lake_rows import flush_of, lake_inferences, lake_labels
from tests.support.sample_project import sample_project
from tests.support.traffic import event_time

from driftloop.errors import IntegrityError
from driftloop.lake.commit import CursorsMoved, commit, store_files
from driftloop.lake.compaction import merge
from driftloop.lake.compaction_plan import CompactionRules, plan
from driftloop.lake.maintenance import compact
from driftloop.lake.manifests import snapshot_key
from driftloop.lake.parquet import encode_file, put_files
from driftloop.lake.pinning import pin
from driftloop.lake.snapshot import load_snapshot, read_snapshot
from driftloop.lake.tombstones import doomed, marks
from driftloop.lake.vacuum import clean, look

END = event_time(1000)
AT_ONCE, LATER = timedelta(0), timedelta(hours=1)


@pytest.fixture
def project(schema):
    return sample_project(schema)


@pytest.fixture
def tables(open_table, store, schema):
    """Twenty inferences and their labels, in two files each."""
    inferences, labels = open_table("inferences"), open_table("labels")
    for at in (0, 10):
        append(store, inferences, lake_inferences(schema, 0, at, at + 10), at)
        append(store, labels, lake_labels(schema, 0, at, at + 10), at)
    return inferences, labels


def append(store, table, rows, at):
    flush = flush_of(rows, 0, at, at + rows.num_rows)
    store_files(store, table, flush)
    commit(table, store, flush)


def now():
    return datetime.now(UTC)


def cleaned(table, store, grace=AT_ONCE):
    return clean(table, store, grace=grace, now=now)


def compacted(table, store):
    return compact(table, store, CompactionRules(), everything=True)


def data_files(table, store):
    prefix = f"{table.root}/"
    return {found.key.removeprefix(prefix) for found in store.list(prefix) if "/_" not in found.key}


def live(table):
    table.refresh()
    return {entry.path for entry in table.files()}


def test_replaced_files_are_marked_at_first_and_deleted_after_the_grace_period(tables, store):
    table = tables[0]
    old = live(table)
    compacted(table, store)
    first, again = cleaned(table, store, LATER), cleaned(table, store, LATER)
    assert (first.marked, first.deleted, again.marked, again.deleted) == (2, 0, 0, 0)
    assert data_files(table, store) == old | live(table)
    done = cleaned(table, store)
    assert (done.deleted, done.bytes > 0) == (2, True)
    assert data_files(table, store) == live(table)
    assert not marks(store, table.root)


def test_what_a_snapshot_pins_stays_for_ever_and_reads_the_same(tables, store, project, schema):
    digest, snapshot = pin(store, project, *tables, start=None, end=END)
    before = read_snapshot(store, snapshot, schema)
    for table in tables:
        append(store, table, lake_inferences(schema, 0, 20, 30) if table is tables[0] else lake_labels(schema, 0, 20, 30), 20)
        compacted(table, store)
        assert cleaned(table, store).deleted == 1, "the third file is nobody's"
    assert read_snapshot(store, load_snapshot(store, project.stream, digest), schema).equals(before)


def test_a_look_changes_nothing(tables, store):
    compacted(tables[0], store)
    before = data_files(tables[0], store)
    found = look(tables[0], store, grace=AT_ONCE, now=now())
    assert (len(found.dead), len(found.due), found.waiting) == (2, 0, 0)
    assert not marks(store, tables[0].root)
    assert data_files(tables[0], store) == before


def test_a_flush_that_is_on_its_way_keeps_its_files_however_long_it_takes(tables, store, schema):
    table = tables[0]
    flush = flush_of(lake_inferences(schema, 0, 20, 30), 0, 20, 30)
    store_files(store, table, flush)
    assert cleaned(table, store).marked == 0
    commit(table, store, flush)
    assert flush.files[0].path in live(table)
    assert cleaned(table, store).deleted == 0
    assert table.read().num_rows == 30


def test_the_files_of_a_fenced_flush_are_deleted(tables, store, schema):
    table = tables[0]
    flush = flush_of(lake_inferences(schema, 0, 10, 17), 0, 10, 17)
    store_files(store, table, flush)
    with pytest.raises(CursorsMoved):
        commit(table, store, flush)
    assert cleaned(table, store).deleted == 1
    assert data_files(table, store) == live(table)


def test_a_flush_of_a_topic_made_anew_is_not_taken_for_a_fenced_one(tables, store, schema):
    file = encode_file(lake_inferences(schema, 0, 0, 5), topic_id="another-id", partition=0, first_offset=0)
    put_files(store, tables[0].root, [file])
    assert cleaned(tables[0], store).marked == 0


def test_a_merged_file_is_kept_until_it_can_no_longer_be_committed(tables, store, schema):
    table = tables[0]
    (group,) = plan(table.files(), CompactionRules(), everything=True)
    left = [m.file for m in merge(table, store, group)]
    put_files(store, table.root, left)  # and killed
    assert cleaned(table, store).marked == 0, "its compaction may be asleep"
    append(store, table, lake_inferences(schema, 0, 20, 30), 20)
    compacted(table, store)
    assert cleaned(table, store).deleted == 4
    assert data_files(table, store) == live(table)


def test_what_others_wrote_is_never_touched(tables, store):
    table = tables[0]
    for path in ("part-00000.parquet", "0/notes.txt", "0/5-abc.parquet"):
        store.put(f"{table.root}/{path}", b"somebody's")
    assert look(table, store, grace=AT_ONCE, now=now()).foreign == 3
    assert cleaned(table, store).marked == 0
    assert len(data_files(table, store)) == 5


def test_nothing_is_deleted_while_a_manifest_cannot_be_read(tables, store, project):
    compacted(tables[0], store)
    cleaned(tables[0], store, LATER)
    key = snapshot_key(project.stream, "ab" * 32)
    store.put(key, b"{")
    with pytest.raises(IntegrityError, match=key):
        cleaned(tables[0], store)
    assert len(data_files(tables[0], store)) == 3


def test_an_old_handle_pins_the_same_content_from_new_files(tables, store, project, schema, open_table):
    """Its own files are marked: the snapshot is that of its version all the same."""
    digest, snapshot = pin(store, project, *tables, start=None, end=END)
    before = read_snapshot(store, snapshot, schema)
    store.delete(snapshot_key(project.stream, digest))
    for name, rows in (("inferences", lake_inferences), ("labels", lake_labels)):
        other = open_table(name)
        append(store, other, rows(schema, 0, 20, 30), 20)
        compacted(other, store)
        cleaned(other, store, LATER)
    again, from_new = pin(store, project, *tables, start=None, end=END)
    assert again == digest
    assert {f.path for f in from_new.files}.isdisjoint(f.path for f in snapshot.files)
    assert sum(f.rows for f in from_new.files) == 60
    assert read_snapshot(store, from_new, schema).equals(before)


def test_a_manifest_of_files_that_are_being_deleted_is_not_taken_for_a_snapshot(tables, store, project, schema, open_table):
    """As a pin leaves it that was killed before it looked for marks."""
    digest, snapshot = pin(store, project, *tables, start=None, end=END)
    before = read_snapshot(store, snapshot, schema)
    manifest = store.get(snapshot_key(project.stream, digest))
    store.delete(snapshot_key(project.stream, digest))
    for name in ("inferences", "labels"):
        compacted(open_table(name), store)
        cleaned(open_table(name), store)
    store.put(snapshot_key(project.stream, digest), manifest)
    _, repaired = pin(store, project, *tables, start=None, end=END)
    assert store.get(snapshot_key(project.stream, digest)) == manifest, "a committed key never has a second content"
    assert not doomed(store, tables[0].root, [f.path for f in repaired.files if f.table == "inferences"])
    assert read_snapshot(store, load_snapshot(store, project.stream, digest), schema).equals(before)


class Interrupted:
    """A store at which something happens once, just after the ``nth`` listing of a prefix was answered or a key was taken."""

    def __init__(self, store, prefix, then, nth=1):
        self._store, self._prefix, self._then, self._left = store, prefix, then, nth

    def __getattr__(self, name):
        return getattr(self._store, name)

    def list(self, prefix, **options):
        found = list(self._store.list(prefix, **options))
        self._met(prefix)
        return iter(found)

    def put_if_absent(self, key, data):
        stored = self._store.put_if_absent(key, data)
        self._met(key)
        return stored

    def _met(self, key):
        if key.startswith(self._prefix):
            self._left -= 1
            if self._left == 0:
                self._then()


def test_a_pin_that_comes_between_the_last_look_at_the_manifests_and_the_deletion_notices(tables, store, project, schema, open_table):
    stale = tables
    expected = pin(store, project, *tables, start=None, end=event_time(900))
    before = read_snapshot(store, expected[1], schema)
    store.delete(snapshot_key(project.stream, expected[0]))
    for name in ("inferences", "labels"):
        compacted(open_table(name), store)
    pinned = []
    slow = Interrupted(store, "snapshots/", lambda: pinned.append(pin(store, project, *stale, start=None, end=event_time(900))), nth=2)
    assert clean(open_table("inferences"), slow, grace=AT_ONCE, now=now).deleted == 2
    cleaned(open_table("labels"), store)
    digest, _ = pinned[0]
    assert read_snapshot(store, load_snapshot(store, project.stream, digest), schema).equals(before)


def test_a_clean_up_that_comes_just_before_the_manifest_is_stored_makes_the_pin_try_again(tables, store, project, schema, open_table):
    def clean_up():
        for name in ("inferences", "labels"):
            compacted(open_table(name), store)
            assert cleaned(open_table(name), store).deleted == 2

    slow = Interrupted(store, f"lake/{project.stream}/labels/0/", clean_up)  # the first look has seen the files
    digest, _ = pin(slow, project, *tables, start=None, end=END)
    assert read_snapshot(store, load_snapshot(store, project.stream, digest), schema).num_rows == 20


def test_a_clean_up_that_comes_between_a_manifest_and_the_look_for_marks_keeps_its_files(tables, store, project, schema, open_table):
    def clean_up():
        for name in ("inferences", "labels"):
            compacted(open_table(name), store)
            assert cleaned(open_table(name), store).deleted == 0

    slow = Interrupted(store, f"snapshots/{project.stream}/", clean_up, nth=2)  # the first looks for a manifest of before
    _, snapshot = pin(slow, project, *tables, start=None, end=END)
    assert read_snapshot(store, snapshot, schema).num_rows == 20


def test_a_pin_that_comes_between_the_first_look_at_the_manifests_and_the_marks_keeps_its_files(tables, store, project, schema, open_table):
    for name in ("inferences", "labels"):
        compacted(open_table(name), store)
    pinned = []
    slow = Interrupted(store, "snapshots/", lambda: pinned.append(pin(store, project, *tables, start=None, end=END)))
    done = clean(open_table("inferences"), slow, grace=AT_ONCE, now=now)
    assert (done.marked, done.deleted, done.kept) == (2, 0, 2)
    assert read_snapshot(store, pinned[0][1], schema).num_rows == 20


def test_two_clean_ups_at_once_end_where_one_does(tables, store, open_table):
    compacted(tables[0], store)
    slow = Interrupted(store, "snapshots/", lambda: cleaned(open_table(), store), nth=2)
    clean(open_table(), slow, grace=AT_ONCE, now=now)
    assert data_files(tables[0], store) == live(tables[0])
    assert not marks(store, tables[0].root)


def counted(store):
    """The store, with the keys that it has listed and the keys that were read."""

    class Counted:
        listed, read = [], []

        def __getattr__(self, name):
            return getattr(store, name)

        def list(self, prefix, **options):
            for found in store.list(prefix, **options):
                self.listed.append(found.key)
                yield found

        def get(self, key):
            self.read.append(key)
            return store.get(key)

    return Counted()


def test_the_log_is_not_listed_and_no_manifest_is_opened_twice(tables, store, project):
    table = tables[0]
    for at in range(20, 60, 10):
        pin(store, project, *tables, start=None, end=event_time(at))
        append(store, table, lake_inferences(project.schema, 0, at, at + 10), at)
    compacted(table, store)
    first, second, third = counted(store), counted(store), counted(store)
    for each in (first, second):
        cleaned(table, each, LATER)
        assert sum("_delta_log" in key for key in each.listed) <= 1, "the first of them says that the log begins"
    assert sum(key.startswith("snapshots/") for key in first.read) == 4
    assert not [key for key in second.read if key.startswith("snapshots/")]
    pin(store, project, *tables, start=None, end=event_time(77))
    cleaned(table, third, LATER)
    assert sum(key.startswith("snapshots/") for key in third.read) == 1


@pytest.mark.parametrize("index", [None, b"{", b'{"manifests": {}, "paths": []}'])
def test_an_index_of_pins_that_is_missing_damaged_or_knows_too_little_is_made_good(tables, store, project, schema, index):
    table = tables[0]
    digest, snapshot = pin(store, project, *tables, start=None, end=END)
    before = read_snapshot(store, snapshot, schema)
    compacted(table, store)
    cleaned(table, store, LATER)
    key = f"{table.root}/_upkeep/pins.json"
    good = store.get(key)
    store.delete(key) if index is None else store.put(key, index)
    append(store, table, lake_inferences(schema, 0, 20, 30), 20)
    compacted(table, store)
    assert cleaned(table, store).deleted == 2, "the first merged file, and that of the new rows"
    assert store.get(key) == good
    assert read_snapshot(store, load_snapshot(store, project.stream, digest), schema).equals(before)


def test_an_index_that_covers_a_manifest_of_other_bytes_is_made_anew(tables, store, project, schema):
    """As an earlier release left it that wrote a second manifest over the first."""
    table = tables[0]
    digest, _ = pin(store, project, *tables, start=None, end=END)
    cleaned(table, store)
    key = snapshot_key(project.stream, digest)
    compacted(table, store)
    store.delete(key)
    _, now_pinned = pin(store, project, table.newest(), tables[1], start=None, end=END)
    assert key == snapshot_key(project.stream, digest)
    append(store, table, lake_inferences(schema, 0, 20, 30), 20)
    compacted(table, store)
    cleaned(table, store)
    assert read_snapshot(store, now_pinned, schema).num_rows == 20


def test_a_snapshot_that_was_returned_keeps_its_files_when_the_same_content_is_pinned_again(tables, store, project, schema, open_table):
    """Its files were marked before its manifest was there, by a clean-up that then saw it: nobody deletes them, but a later
    pin cannot know that, and takes others. Whoever reads by the first list goes on reading."""
    stale = tables
    for name in ("inferences", "labels"):
        compacted(open_table(name), store)
    pinned = []
    slow = Interrupted(store, f"snapshots/{project.stream}/", lambda: pinned.append(pin(store, project, *stale, start=None, end=END)))
    table = open_table("inferences")
    assert clean(table, slow, grace=LATER, now=now).marked == 2
    digest, first = pinned[0]
    assert {f.path for f in first.files if f.table == "inferences"} == marks(store, table.root).keys()
    before = read_snapshot(store, first, schema)
    again, second = pin(store, project, table.newest(), stale[1].newest(), start=None, end=END)
    for name in ("inferences", "labels"):
        cleaned(open_table(name), store)
        cleaned(open_table(name), store)
    assert again == digest
    assert first != second
    assert read_snapshot(store, first, schema).equals(before)
    assert read_snapshot(store, second, schema).equals(before)


def test_two_who_pin_the_same_content_from_other_files_share_one_manifest(tables, store, project, schema, open_table):
    compacted(open_table("inferences"), store)
    pinned = []
    newer = open_table("inferences"), open_table("labels")
    slow = Interrupted(store, f"snapshots/{project.stream}/", lambda: pinned.append(pin(store, project, *newer, start=None, end=END)))
    digest, mine = pin(slow, project, *tables, start=None, end=END)
    assert pinned == [(digest, mine)], "theirs came first, and stands"
    assert load_snapshot(store, project.stream, digest) == mine
    assert len(list(store.list(f"snapshots/{project.stream}/"))) == 1
