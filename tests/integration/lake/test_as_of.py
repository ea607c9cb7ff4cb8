"""A table reads as it was known at an offset or at a wall time, whatever was committed or compacted since."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from tests.support.lake_rows import append, lake_inferences
from tests.support.traffic import event_id

from driftloop.datasets.as_of import AsOf, known_at, known_below
from driftloop.datasets.dataset import table_rows
from driftloop.errors import UserError
from driftloop.lake import commit


@pytest.fixture
def table(open_table, store, schema):
    """Three commits of ten rows in partition 0, one of five in partition 1 between them."""
    opened = open_table()
    opened.notes = [append(store, opened, lake_inferences(schema, 0, 0, 10), 0)]
    opened.notes.append(append(store, opened, lake_inferences(schema, 1, 0, 5), 0, partition=1))
    opened.notes += [append(store, opened, lake_inferences(schema, 0, at, at + 10), at) for at in (10, 20)]
    return opened


def ids(known: AsOf) -> set[str]:
    _, batches = table_rows(known, columns=["event_id"])
    return {i for batch in batches(7) for i in batch.column("event_id").to_pylist()}


def events(partition: int, n: int) -> set[str]:
    return {event_id(partition, i) for i in range(n)}


@pytest.mark.parametrize(("commits", "zero", "one"), [(1, 10, 0), (2, 10, 5), (3, 20, 5), (4, 30, 5)])
def test_a_wall_time_gives_what_had_been_committed(table, commits, zero, one):
    moment = table.notes[commits - 1].at
    assert ids(known_at(table, moment)) == events(0, zero) | events(1, one)
    assert len(ids(known_at(table, moment - timedelta(microseconds=1)))) < zero + one


def test_a_wall_time_gives_what_had_been_committed_though_a_writers_clock_is_behind(open_table, store, schema, monkeypatch):
    table, base = open_table(), datetime(2026, 5, 1, 12, tzinfo=UTC)
    seconds = [0, 60, 50, 20, 70, 65, 80]
    clock = iter(base + timedelta(seconds=n) for n in seconds)
    monkeypatch.setattr(commit, "datetime", SimpleNamespace(now=lambda zone: next(clock)))
    notes = [append(store, table, lake_inferences(schema, 0, 10 * n, 10 * n + 10), 10 * n) for n in range(len(seconds))]
    assert [(note.at - base).seconds for note in notes] == [0, 60, 60, 60, 70, 70, 80]
    for moment, commits in [(0, 1), (59, 1), (60, 4), (69, 4), (70, 6), (80, 7)]:
        assert ids(known_at(open_table(), base + timedelta(seconds=moment))) == events(0, 10 * commits)


def test_before_the_first_commit_nothing_was_known(table):
    assert ids(known_at(table, datetime(2001, 1, 1, tzinfo=UTC))) == set()


def test_a_compaction_does_not_change_the_past(table):
    moment = table.notes[2].at
    table.delta.optimize.compact()
    table.delta.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    table.refresh()
    assert len(table.files()) == 1
    assert ids(known_at(table, moment)) == events(0, 20) | events(1, 5)
    assert ids(known_at(table, datetime.now(UTC))) == events(0, 30) | events(1, 5)


def test_an_offset_cuts_its_partition_to_the_message_and_leaves_the_others_whole(table):
    assert ids(known_below(table, {0: 13})) == events(0, 13) | events(1, 5)
    assert ids(known_below(table, {0: 0, 1: 2})) == events(1, 2)


@pytest.mark.parametrize(("offsets", "said"), [({0: 31}, "ends at 30"), ({0: -1}, "ends at 30"), ({3: 1}, "holds nothing of")])
def test_offsets_that_the_lake_never_took_up_are_the_users_to_put_right(table, offsets, said):
    with pytest.raises(UserError, match=said):
        known_below(table, offsets)


def test_a_topic_made_anew_is_read_at_a_time_but_not_at_an_offset(table, store, schema):
    note = append(store, table, lake_inferences(schema, 0, 100, 110), 0, topic_id="another")
    with pytest.raises(UserError, match="made anew"):
        known_below(table, {0: 5})
    assert len(ids(known_at(table, note.at))) == 45
    assert ids(known_at(table, note.at - timedelta(microseconds=1))) == events(0, 30) | events(1, 5)
