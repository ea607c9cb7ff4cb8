"""The fenced commit against a real store, with a second writer and with answers that never come."""

import threading

import msgspec
import pytest
from tests.support.lake_rows import TOPIC_ID, flush_of, lake_inferences
from tests.support.traffic import event_id, event_time

from driftloop.errors import TransientError
from driftloop.lake.commit import CursorsMoved, commit, store_files
from driftloop.lake.cursors import app_id
from driftloop.lake.table import LakeTable

PARTITION_0, PARTITION_1 = app_id(TOPIC_ID, 0), app_id(TOPIC_ID, 1)


def write(table, store, flush):
    store_files(store, table, flush)
    return commit(table, store, flush)


def ids(table):
    table.refresh()
    return sorted(table.read(["event_id"])["event_id"].to_pylist())


def events(partition, *spans):
    return sorted(event_id(partition, n) for start, end in spans for n in range(start, end))


@pytest.fixture
def rows(schema):
    return lambda partition, start, end: lake_inferences(schema, partition, start, end)


def test_rows_and_cursor_appear_together(open_table, store, rows):
    note = write(open_table(), store, flush_of(rows(0, 0, 10), 0, 0, 10))
    fresh = open_table()
    assert (note.version, note.rows, fresh.version) == (1, 10, 1)
    assert fresh.cursors() == {PARTITION_0: 10}
    assert fresh.cursor(PARTITION_0) == 10
    assert ids(fresh) == events(0, (0, 10))


def test_a_twin_with_an_old_handle_is_fenced(open_table, store, rows):
    mine, twin = open_table(), open_table()
    write(mine, store, flush_of(rows(0, 0, 10), 0, 0, 10))
    with pytest.raises(CursorsMoved, match=TOPIC_ID):
        write(twin, store, flush_of(rows(0, 0, 7), 0, 0, 7))
    assert ids(mine) == events(0, (0, 10))


@pytest.mark.parametrize("span", [(0, 7), (0, 10), (0, 15), (12, 20)])
def test_a_twin_that_has_seen_the_commit_is_fenced_too(open_table, store, rows, span):
    mine, twin = open_table(), open_table()
    write(mine, store, flush_of(rows(0, 0, 10), 0, 0, 10))
    twin.refresh()  # from here delta-rs accepts any number, also a lower one
    with pytest.raises(CursorsMoved):
        write(twin, store, flush_of(rows(0, *span), 0, *span))
    assert ids(mine) == events(0, (0, 10))
    assert mine.cursors() == {PARTITION_0: 10}


def test_a_fence_names_only_the_cursors_that_moved(open_table, store, rows):
    mine, twin = open_table(), open_table()
    write(mine, store, flush_of(rows(0, 0, 10), 0, 0, 10))
    both = flush_of(rows(0, 0, 7), 0, 0, 7), flush_of(rows(1, 0, 5), 1, 0, 5)
    together = msgspec.structs.replace(both[0], moves=both[0].moves + both[1].moves, files=both[0].files + both[1].files)
    with pytest.raises(CursorsMoved) as fenced:
        write(twin, store, together)
    assert fenced.value.cursors == (PARTITION_0,)
    assert ids(mine) == events(0, (0, 10))


def test_writers_of_different_partitions_only_wait_for_each_other(open_table, store, rows):
    tables = {partition: open_table() for partition in (0, 1)}
    failures = []

    def work(partition):
        try:
            for at in range(0, 60, 10):
                mark = event_time(at + 9)
                write(tables[partition], store, flush_of(rows(partition, at, at + 10), partition, at, at + 10, mark=mark))
        except BaseException as exc:  # noqa: BLE001 - shown by the assertion below
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(partition,)) for partition in tables]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    fresh = open_table()
    assert fresh.version == 12
    assert fresh.cursors() == {PARTITION_0: 60, PARTITION_1: 60}
    assert fresh.watermarks() == {0: event_time(59), 1: event_time(59)}
    assert ids(fresh) == sorted(events(0, (0, 60)) + events(1, (0, 60)))


def test_a_commit_whose_answer_was_lost_counts_once(open_table, store, rows, settings, proxy):
    table = open_table(through=msgspec.structs.replace(settings, endpoint=proxy.endpoint))
    write(table, store, flush_of(rows(0, 0, 10), 0, 0, 10))
    proxy.lose_answers("PUT", "_delta_log", times=1)
    note = write(table, store, flush_of(rows(0, 10, 20), 0, 10, 20))
    assert proxy.lost == 1
    assert note.version == table.version == 2
    assert ids(open_table()) == events(0, (0, 20))


def test_a_commit_whose_outcome_cannot_be_looked_up_is_found_later_and_nothing_is_deleted(open_table, store, rows, settings, proxy):
    table = open_table(through=msgspec.structs.replace(settings, endpoint=proxy.endpoint))
    flush = flush_of(rows(0, 0, 10), 0, 0, 10)
    store_files(store, table, flush)
    proxy.lose_answers("PUT", "_delta_log", times=1)
    proxy.refuse_after_loss()
    with pytest.raises(TransientError):
        commit(table, store, flush)
    assert proxy.lost == 1
    assert [found.key for found in store.list(f"{table.root}/0/")] == [f"{table.root}/{flush.files[0].path}"]
    proxy.recover()
    assert commit(table, store, flush).version == 1
    assert ids(open_table()) == events(0, (0, 10))


def test_cursors_and_watermarks_move_without_rows(open_table, store):
    table = open_table()
    note = write(table, store, flush_of(None, 0, 0, 3, mark=event_time(100)))
    write(table, store, flush_of(None, 1, 0, 1))
    write(table, store, flush_of(None, 0, 3, 4, mark=event_time(50)))
    assert (note.rows, note.event_time_min, note.event_time_max) == (0, None, None)
    fresh = open_table()
    assert fresh.cursors() == {PARTITION_0: 4, PARTITION_1: 1}
    assert fresh.watermarks() == {0: event_time(100)}
    assert ids(fresh) == []


def test_an_object_that_vanished_before_the_commit_is_put_again(open_table, store, rows):
    table = open_table()
    flush = flush_of(rows(0, 0, 10), 0, 0, 10)
    store_files(store, table, flush)
    store.delete(f"{table.root}/{flush.files[0].path}")
    commit(table, store, flush)
    assert ids(table) == events(0, (0, 10))


def test_the_state_survives_commits_of_others(open_table, store, rows):
    table = open_table()
    for at in (0, 10, 20):
        write(table, store, flush_of(rows(0, at, at + 10), 0, at, at + 10, mark=event_time(at)))
    open_table().delta.optimize.compact()
    fresh = open_table()
    assert fresh.note(fresh.version) is None
    assert fresh.cursors() == {PARTITION_0: 30}
    assert fresh.watermarks() == {0: event_time(20)}
    write(table, store, flush_of(rows(0, 30, 40), 0, 30, 40))
    assert ids(fresh) == events(0, (0, 40))


def test_the_log_is_kept_for_ever(open_table):
    assert open_table().delta.metadata().configuration["delta.enableExpiredLogCleanup"] == "false"


def test_two_that_create_a_table_at_once_share_it(settings, schema, open_table):
    made, barrier = [], threading.Barrier(3)

    def create():
        barrier.wait()
        made.append(open_table())

    threads = [threading.Thread(target=create) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({table.delta.metadata().id for table in made}) == 1
    assert LakeTable.open(settings, schema.stream, "inferences").version == 0
