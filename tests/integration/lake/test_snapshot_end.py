"""A snapshot that was given up: said so to whoever asks, its files deleted by the next clean-ups, its key never used again."""

import signal
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.lake_rows import append, lake_inferences, lake_labels
from tests.support.maintenance_steps import PIN_END, run, run_and_die
from tests.support.sample_project import sample_project

from driftloop.datasets.snapshots import stored_snapshots
from driftloop.errors import ObjectNotFound
from driftloop.lake.compaction_plan import CompactionRules
from driftloop.lake.maintenance import compact
from driftloop.lake.manifests import manifests_of, snapshot_key
from driftloop.lake.pinning import pin
from driftloop.lake.snapshot import load_snapshot, read_snapshot
from driftloop.lake.snapshot_end import give_up
from driftloop.lake.vacuum import clean

AT = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def digest(open_table, store, schema):
    """A snapshot of twenty rows in small files, which were merged since."""
    tables = open_table("inferences"), open_table("labels")
    for table, rows in zip(tables, (lake_inferences, lake_labels), strict=True):
        for at in (0, 10):
            append(store, table, rows(schema, 0, at, at + 10), at)
    pinned, _ = pin(store, sample_project(schema), *tables, start=None, end=PIN_END)
    for table in tables:
        compact(table, store, CompactionRules(), everything=True)
    return pinned


def given_up(store, schema, digest):
    return give_up(store, schema.stream, digest, by="Kim", reason="its versions are deleted", at=AT)


def cleaned(open_table, store):
    return sum(
        clean(open_table(name), store, grace=timedelta(0), now=lambda: datetime.now(UTC)).deleted for name in ("inferences", "labels")
    )


def test_whoever_asks_for_it_is_told_who_gave_it_up_and_why(store, schema, digest):
    assert [found.key for found in given_up(store, schema, digest)] == [snapshot_key(schema.stream, digest)]
    with pytest.raises(ObjectNotFound, match=r"given up by Kim at 2026-05-01T00:00:00.*: its versions are deleted"):
        load_snapshot(store, schema.stream, digest)
    assert not stored_snapshots(store, schema.stream)


def test_its_files_are_deleted_and_not_those_that_another_names(store, schema, digest, open_table):
    assert cleaned(open_table, store) == 0, "pinned"
    tables, sooner = (open_table("inferences"), open_table("labels")), PIN_END - timedelta(seconds=1)
    other, _ = pin(store, sample_project(schema), *tables, start=None, end=sooner)
    given_up(store, schema, digest)
    assert cleaned(open_table, store) == 4
    assert read_snapshot(store, load_snapshot(store, schema.stream, other), schema).num_rows == 20
    assert cleaned(open_table, store) == 0


def test_the_same_content_can_be_pinned_again_under_the_next_number(store, schema, digest, open_table):
    given_up(store, schema, digest)
    cleaned(open_table, store)
    again, snapshot = pin(store, sample_project(schema), open_table("inferences"), open_table("labels"), start=None, end=PIN_END)
    assert again == digest
    assert manifests_of(store, schema.stream, digest).standing.key == snapshot_key(schema.stream, digest, 1)
    assert load_snapshot(store, schema.stream, digest) == snapshot
    assert read_snapshot(store, snapshot, schema).num_rows == 20
    given_up(store, schema, digest)
    assert manifests_of(store, schema.stream, digest).number == 1
    assert not stored_snapshots(store, schema.stream)


def test_giving_up_twice_is_giving_up_once(store, schema, digest):
    given_up(store, schema, digest)
    before = [(found.key, found.size) for found in store.list(f"snapshots/{schema.stream}/")]
    assert not given_up(store, schema, digest)
    assert [(found.key, found.size) for found in store.list(f"snapshots/{schema.stream}/")] == before
    assert not give_up(store, schema.stream, "f" * 64, by="Kim", reason="-", at=AT)
    assert len(list(store.list(f"snapshots/{schema.stream}/"))) == 1


@pytest.mark.parametrize("point", ["give-up.after-end", "give-up.after-delete"])
def test_a_kill_in_between_leaves_it_given_up_and_the_next_run_finishes(store, schema, digest, settings, point):
    assert run_and_die("give-up", schema.stream, settings, point) == -signal.SIGKILL
    with pytest.raises(ObjectNotFound, match="given up"):
        load_snapshot(store, schema.stream, digest)
    run("give-up", schema.stream, settings)
    assert len(list(store.list(f"snapshots/{schema.stream}/"))) == 1
