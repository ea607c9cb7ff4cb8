"""A log whose old entries are in the archive: as short as its readers need it, and not an offset range is lost."""

import signal
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from tests.support.lake_rows import TOPIC_ID, append, flush_of, lake_inferences, lake_labels
from tests.support.maintenance_steps import run, run_and_die
from tests.support.sample_project import sample_project
from tests.support.traffic import event_time

from driftloop.contracts.schema import Feature
from driftloop.datasets.as_of import known_at, known_below, known_by_version
from driftloop.datasets.dataset import table_rows
from driftloop.datasets.diff_inputs import TableRef, open_table, table_at
from driftloop.datasets.verify import Verifier
from driftloop.datasets.versions import newest_versions
from driftloop.errors import ObjectNotFound, UserError
from driftloop.lake import archived_log
from driftloop.lake.commit import CursorsMoved, commit, store_files
from driftloop.lake.commit_log import entry_path
from driftloop.lake.commit_times import times_of_commit
from driftloop.lake.compaction_plan import CompactionRules
from driftloop.lake.cursors import app_id
from driftloop.lake.log_archive import archive_log
from driftloop.lake.maintenance import compact
from driftloop.lake.pinning import pin
from driftloop.lake.snapshot import load_snapshot, read_snapshot
from driftloop.lake.table import LakeTable
from driftloop.lake.vacuum import clean
from driftloop.rows.schemas import lake_schema

BLOCK, COMMITS = 20, 50
CURSOR = app_id(TOPIC_ID, 0)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Twenty versions to a file instead of a thousand."""
    monkeypatch.setattr(archived_log, "BLOCK", BLOCK)


@pytest.fixture
def table(open_table, store, schema):
    """Fifty commits of two rows each, two handles that saw the first ten alone, a checkpoint, and one commit more."""
    table = open_table()
    for n in range(COMMITS):
        if n == 10:
            table.early, table.twin = open_table(), open_table()
        append(store, table, lake_inferences(schema, 0, 2 * n, 2 * n + 2), 2 * n)
    table.delta.create_checkpoint()
    append(store, table, lake_inferences(schema, 0, 2 * COMMITS, 2 * COMMITS + 2), 2 * COMMITS)
    return table


def archived(table, store, keep=timedelta(0), **options):
    return archive_log(table, store, keep=keep, now=datetime.now(UTC) + timedelta(seconds=1), **options)


def in_log(table, store):
    return sorted(found.key.rpartition("/")[2] for found in store.list(f"{table.root}/_delta_log/0"))


def count(known):
    _, batches = table_rows(known, columns=["event_id"])
    return sum(batch.num_rows for batch in batches(1000))


def test_whole_blocks_before_the_checkpoint_are_archived_and_nothing_else(table, store, open_table):
    entries = {version: table.log_entry(version) for version in range(table.version + 1)}
    done = archived(table, store)
    assert (done.entries, done.checkpoints, done.archived_bytes < done.bytes / 3) == (2 * BLOCK, 0, True)
    assert in_log(table, store)[0] == entry_path(2 * BLOCK).rpartition("/")[2]
    fresh = open_table()
    assert fresh.cursors() == {CURSOR: 2 * COMMITS + 2}
    assert {version: fresh.log_entry(version) for version in entries} == entries
    assert archived(table, store).entries == 0


def test_entries_that_are_younger_stay(table, store):
    assert archived(table, store, keep=timedelta(hours=1)).entries == 0
    assert len(in_log(table, store)) == COMMITS + 3


def test_a_dry_run_changes_nothing(table, store):
    before = in_log(table, store)
    assert archived(table, store, dry_run=True).entries == 2 * BLOCK
    assert in_log(table, store) == before
    assert not list(store.list(f"{table.root}/_upkeep/log/"))


def test_without_a_checkpoint_nothing_is_archived(open_table, store, schema):
    table = open_table()
    for n in range(BLOCK + 5):
        append(store, table, lake_inferences(schema, 0, n, n + 1), n)
    assert archived(table, store).entries == 0


def test_old_checkpoints_go_with_the_entries_before_them(table, store, open_table):
    table.at(15).delta.create_checkpoint()
    table.at(35).delta.create_checkpoint()
    table.delta.create_checkpoint()  # the newest is pointed to again
    assert archived(table, store).checkpoints == 2
    assert open_table().read(["event_id"]).num_rows == 2 * COMMITS + 2


def test_every_offset_range_of_the_past_is_readable(table, store, open_table):
    archived(table, store)
    fresh = open_table()
    notes = [note for version in range(1, fresh.version + 1) if (note := fresh.note(version)) is not None]
    assert [(n.moves[0].start, n.moves[0].end) for n in notes] == [(2 * n, 2 * n + 2) for n in range(COMMITS + 1)]
    assert [fresh.state_at(n.version).cursors[CURSOR].end for n in notes] == [n.moves[0].end for n in notes]
    assert [v.ranges[0].start for v in newest_versions(fresh, 1000) if v.ranges] == [2 * n for n in reversed(range(COMMITS + 1))]
    assert times_of_commit(fresh, 3) == [(event_time(4), event_time(5))]


def test_what_was_known_at_a_time_an_offset_or_a_version_is_read_as_before(table, store, open_table):
    moments = {version: table.note(version).at for version in (5, 25, 45)}
    archived(table, store)
    compact(table, store, CompactionRules(), everything=True)
    clean(table, store, grace=timedelta(0), now=lambda: datetime.now(UTC))
    fresh = open_table()
    for version, moment in moments.items():
        assert count(known_at(fresh, moment)) == count(known_by_version(fresh, version)) == 2 * version
    assert count(known_below(fresh, {0: 7})) == 7


def test_a_version_in_the_archive_has_rows_and_columns_but_no_list_of_files(table, store, settings, schema):
    wider = type(schema)(stream=schema.stream, features=(*schema.features, Feature(name="extra", type="integer")), target=schema.target)
    LakeTable.open(settings, schema.stream, "inferences", lake_schema(wider, "inferences"))
    archived(table, store)
    ref = TableRef(schema.stream, "inferences", 7)
    with pytest.raises(UserError, match="at version 7 are not listed any more"):
        open_table(settings, ref)
    with pytest.raises(ObjectNotFound):
        table.at(7)
    then, now = table_at(settings, ref), table_at(settings, ref._replace(version=None))
    assert (count(then.known), count(now.known)) == (14, 2 * COMMITS + 2)
    assert set(now.columns.names) - set(then.columns.names) == {"extra"}
    before = newest_versions(table.at(COMMITS + 1), 1)[0].schema_fingerprint
    assert {v.schema_fingerprint for v in newest_versions(now.known.table, 100)[1:]} == {before}


def test_snapshots_are_pinned_read_and_verified_as_before(table, store, open_table, schema):
    project, labels = sample_project(schema), open_table("labels")
    append(store, labels, lake_labels(schema, 0, 0, 50), 0)
    digest, snapshot = pin(store, project, table, labels, start=None, end=event_time(1000))
    before = read_snapshot(store, snapshot, schema)
    archived(table, store)
    assert pin(store, project, open_table(), labels, start=None, end=event_time(1000))[0] == digest
    assert read_snapshot(store, load_snapshot(store, schema.stream, digest), schema).equals(before)
    assert Verifier(store).verify(schema.stream, digest).ok


def test_a_handle_that_slept_through_it_goes_on(table, store, schema):
    archived(table, store)
    assert table.early.version == 10
    table.early.refresh()
    assert table.early.cursors() == {CURSOR: 2 * COMMITS + 2}


def test_a_writer_that_slept_through_it_commits_on_top_of_what_came_since(table, store, schema, open_table):
    archived(table, store)
    append(store, table.early, lake_inferences(schema, 1, 0, 5), 0, partition=1)
    assert open_table().cursors() == {CURSOR: 2 * COMMITS + 2, app_id(TOPIC_ID, 1): 5}
    with pytest.raises(CursorsMoved):
        append(store, table.twin, lake_inferences(schema, 0, 20, 25), 20)


@pytest.mark.parametrize("partition", [0, 1])
def test_a_commit_that_was_on_its_way_all_that_time_does_not_vanish_before_the_log(
    store, schema, settings, proxy, partition, open_table, monkeypatch
):
    """The writer has seen that nobody came first; then it sleeps, and the name of its version becomes free again. The store
    takes its commit, and no reader would ever see it."""
    monkeypatch.setattr(archived_log, "BLOCK", 4)
    table = open_table()
    for n in range(2):
        append(store, table, lake_inferences(schema, 0, 2 * n, 2 * n + 2), 2 * n)
    early = open_table(through=msgspec.structs.replace(settings, endpoint=proxy.endpoint))

    def meanwhile():
        for n in range(2, 5):
            append(store, table, lake_inferences(schema, 0, 2 * n, 2 * n + 2), 2 * n)
        table.delta.create_checkpoint()
        assert archived(table, store).entries == 4

    start = 4 if partition == 0 else 0
    flush = flush_of(lake_inferences(schema, partition, start, start + 5), partition, start, start + 5)
    store_files(store, early, flush)
    proxy.before("PUT", "_delta_log/00000000000000000003.json", then=meanwhile)
    if partition == 0:  # others have taken its rows up since
        with pytest.raises(CursorsMoved):
            commit(early, store, flush)
    else:
        assert commit(early, store, flush).version == 6
    for handle in (early, open_table()):
        assert handle.cursors() == {CURSOR: 10} | ({app_id(TOPIC_ID, 1): 5} if partition else {})
        assert handle.read(["event_id"]).num_rows == sum(handle.cursors().values())
    assert in_log(table, store)[0] == entry_path(4).rpartition("/")[2]
    assert open_table().note(3).moves[0].start == 4


def test_what_a_killed_sleeper_left_before_the_log_is_removed_by_the_next_pass(table, store, open_table):
    archived(table, store)
    store.put(f"{table.root}/{entry_path(11)}", b'{"commitInfo":{"operation":"WRITE"}}')
    assert archived(table, store).entries == 1
    assert in_log(table, store)[0] == entry_path(2 * BLOCK).rpartition("/")[2]
    assert open_table().note(11).moves[0].start == 20


@pytest.mark.parametrize("point", ["archive.after-store", "archive.after-delete", "archive.after-delete:30"])
def test_a_kill_between_two_steps_loses_no_entry_and_the_next_run_finishes(table, store, schema, settings, point, open_table):
    entries = {version: table.log_entry(version) for version in range(table.version + 1)}
    assert run_and_die(f"archive-{BLOCK}", schema.stream, settings, point) == -signal.SIGKILL
    assert {version: open_table().log_entry(version) for version in entries} == entries
    run(f"archive-{BLOCK}", schema.stream, settings)
    assert in_log(table, store)[0] == entry_path(2 * BLOCK).rpartition("/")[2]
    assert {version: open_table().log_entry(version) for version in entries} == entries
