"""Small files become one while others append; whoever loses a race looks again, and no row is ever in twice or missing."""

import hashlib
import threading

import msgspec
import pytest
from tests.support.lake_rows import TOPIC_ID, flush_of, lake_inferences
from tests.support.traffic import event_id, event_time

from driftloop.errors import IntegrityError
from driftloop.lake import compaction as merging
from driftloop.lake.commit import commit, store_files
from driftloop.lake.compaction import merge, swap
from driftloop.lake.compaction_plan import CompactionRules, plan
from driftloop.lake.cursors import app_id
from driftloop.lake.maintenance import compact
from driftloop.lake.parquet import encode_file

CURSOR = app_id(TOPIC_ID, 0)


@pytest.fixture
def table(open_table, store, schema):
    """Four files of ten rows, the newest first."""
    table = open_table()
    for at in (0, 10, 20, 30):
        append(store, table, schema, at)
    return table


def append(store, table, schema, at):
    rows = lake_inferences(schema, 0, at, at + 10)
    flush = flush_of(rows, 0, at, at + 10, mark=event_time(at))
    store_files(store, table, flush)
    return commit(table, store, flush)


def group(table):
    (found,) = plan(table.files(), CompactionRules(), everything=True)
    return found


def ids(table):
    table.refresh()
    return sorted(table.read(["event_id"])["event_id"].to_pylist())


def test_the_rows_stay_and_the_files_become_one(table, store, open_table):
    before = open_table().read().sort_by("offset")
    version = swap(table, store, merge(table, store, group(table)))
    fresh = open_table()
    (file,) = fresh.files()
    data = store.get(f"{fresh.root}/{file.path}")
    assert version == fresh.version == 5
    assert file.path == f"compacted/{hashlib.sha256(data).hexdigest()}.parquet"
    assert (file.rows, file.size, file.event_time_min, file.event_time_max) == (40, len(data), event_time(0), event_time(39))
    assert fresh.read().sort_by("offset").equals(before)


def test_cursors_watermarks_and_all_offset_ranges_stay(table, store, schema, open_table):
    swap(table, store, merge(table, store, group(table)))
    append(store, table, schema, 40)
    fresh = open_table()
    assert fresh.cursors() == {CURSOR: 50}
    assert fresh.watermarks() == {0: event_time(40)}
    notes = [fresh.note(version) for version in range(1, fresh.version + 1)]
    assert [(n.moves[0].start, n.moves[0].end) for n in notes if n] == [(at, at + 10) for at in (0, 10, 20, 30, 40)]


def test_the_log_says_that_no_data_changed_and_keeps_the_old_files(table, store):
    old = group(table)
    version = swap(table, store, merge(table, store, old))
    actions = [action for line in table.log_entry(version) for action in line.items()]
    changes = {action["path"]: action["dataChange"] for kind, action in actions if kind in ("add", "remove")}
    assert set(changes.values()) == {False}
    assert {f.path for f in old} < set(changes)
    assert {store.stat(f"{table.root}/{f.path}").size for f in old} == {f.size for f in old}


def test_the_same_files_are_merged_into_the_same_bytes(table, store, open_table):
    (first,), (second,) = merge(table, store, group(table)), merge(open_table(), store, group(open_table()))
    assert first.file.data == second.file.data


def test_an_append_that_comes_first_makes_the_compaction_try_again(table, store, schema, open_table, monkeypatch):
    merges = merge(table, store, group(table))
    made, attempt = [], merging._commit
    monkeypatch.setattr(merging, "_commit", lambda *args: made.append(attempt(*args)) or made[-1])
    monkeypatch.setattr(table, "refresh", late_refresh(table, lambda: append(store, open_table(), schema, 40)))
    assert swap(table, store, merges) == 6
    assert made == [False, True]
    assert ids(open_table()) == sorted(event_id(0, n) for n in range(50))


def late_refresh(table, then):
    """After the first refresh, before the commit, somebody else appends."""
    refresh, done = table.refresh, []

    def refreshed():
        refresh()
        if not done:
            done.append(True)
            then()

    return refreshed


def test_of_two_compactions_of_the_same_files_one_wins_and_no_row_is_doubled(table, store, open_table):
    twin = open_table()
    one, other = merge(table, store, group(table)), merge(twin, store, group(twin)[:3])
    assert swap(table, store, one) == 5
    assert swap(twin, store, other) is None
    assert ids(open_table()) == sorted(event_id(0, n) for n in range(40))


def test_appends_are_neither_fenced_nor_lost_while_two_compact_all_the_time(table, store, schema, open_table):
    ending, failures = threading.Event(), []

    def compact():
        mine = open_table()
        try:
            while not ending.is_set():
                mine.refresh()
                for found in plan(mine.files(), CompactionRules(fan_in=2)):
                    made.append(swap(mine, store, merge(mine, store, found)))
        except BaseException as exc:  # noqa: BLE001 - shown by the assertion below
            failures.append(exc)

    made = []
    threads = [threading.Thread(target=compact) for _ in range(2)]
    for thread in threads:
        thread.start()
    for at in range(40, 240, 10):
        append(store, table, schema, at)
    ending.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert any(made), "no compaction took place"
    assert ids(open_table()) == sorted(event_id(0, n) for n in range(240))
    assert open_table().cursors() == {CURSOR: 240}


def test_rows_of_a_topic_that_was_made_anew_are_never_mixed_with_the_old_ones(open_table, store, schema):
    table = open_table()
    for topic_id in ("old-id", "new-id"):
        for at in (0, 10):
            store_files(store, table, of_topic(schema, topic_id, at))
            commit(table, store, of_topic(schema, topic_id, at))
    assert {m.file.rows for m in merge(table, store, group(table))} == {20}
    swap(table, store, merge(table, store, group(table)))
    assert sorted(f.rows for f in open_table().files()) == [20, 20]


def of_topic(schema, topic_id, at):
    rows = lake_inferences(schema, 0, at, at + 10)
    flush = flush_of(rows, 0, at, at + 10)
    moves = tuple(msgspec.structs.replace(m, topic_id=topic_id, cursor=app_id(topic_id, 0)) for m in flush.moves)
    files = (encode_file(rows, topic_id=topic_id, partition=0, first_offset=at),)
    return msgspec.structs.replace(flush, moves=moves, files=files, commit_id=f"{topic_id}-{at}")


def test_the_neighbours_of_a_damaged_file_are_merged_without_it_and_it_is_not_fetched_again(table, store):
    files = table.files()
    bad = files[1].path
    store.delete(f"{table.root}/{bad}")
    rules, set_aside = CompactionRules(fan_in=2), set()
    done = compact(table, store, rules, everything=True, set_aside=set_aside)
    assert done.replaced == len(files) - 1
    assert set_aside == {bad}
    assert [reason for reason in done.damaged if bad in reason] == list(done.damaged) != []
    assert sorted(f.path == bad for f in table.files()) == [False, True]
    assert compact(table, store, rules, everything=True, set_aside=set_aside).damaged == ()


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:100] + b"x" + data[101:], None])
def test_damage_is_refused_and_never_copied(table, store, damage):
    key = f"{table.root}/{group(table)[1].path}"
    if damage is None:
        store.delete(key)
    else:
        store.put(key, damage(store.get(key)))
    with pytest.raises(IntegrityError, match=key):
        merge(table, store, group(table))
