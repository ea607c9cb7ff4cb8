"""Values in a changelog: a batch is there as a whole or not at all, wherever its writer was stopped, and whoever else still writes."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftloop.errors import TransientError
from driftloop_monitor.faust_support import durable_table
from driftloop_monitor.faust_support.durable_table import DurableTable
from driftloop_monitor.faust_support.written_values import Batch, Writer, read

Values = dict[bytes, bytes]
KEYS = st.sampled_from([b"state", b"window/1", b"window/2", b"closed/3"])
CHANGES = st.dictionaries(KEYS, st.none() | st.binary(min_size=1, max_size=3), max_size=4)


def records(batch: Batch) -> Iterator[tuple[bytes, bytes | None]]:
    """In the order in which they are sent."""
    yield from batch.values.items()
    yield batch.commit
    yield from ((key, None) for key in (*batch.others, *batch.own))


def put(log: Values, key: bytes, value: bytes | None) -> None:
    """What compaction leaves of a changelog."""
    log.pop(key, None)
    if value is not None:
        log[key] = value


def after(values: Values, changes: Mapping[bytes, bytes | None]) -> Values:
    return {key: value for key, value in {**values, **changes}.items() if value is not None}


@settings(max_examples=200, deadline=None)
@given(former=st.dictionaries(KEYS, st.binary(min_size=1)), lives=st.lists(st.tuples(st.lists(CHANGES, max_size=5), st.integers(0, 60))))
def test_a_start_finds_the_last_batch_that_was_committed_wherever_the_writer_was_killed(former: Values, lives: Any) -> None:
    log, expected, offset = dict(former), dict(former), 0
    for life, (batches, killed_after) in enumerate(lives):
        found = read(log)
        assert found.values == expected
        writer, sent = Writer(found, f"{life:x}"), 0
        for changes in batches:
            offset += 1
            batch = writer.batch(changes, offset)
            for key, value in records(batch):
                if sent == killed_after:
                    break
                sent += 1
                put(log, key, value)
                if key == batch.commit[0] and value is not None:
                    expected = after(expected, changes)
    assert read(log).values == expected


@settings(max_examples=200, deadline=None)
@given(stale=st.lists(CHANGES, min_size=1, max_size=4), fresh=st.lists(CHANGES, min_size=1, max_size=4), order=st.randoms())
def test_a_worker_that_was_paused_changes_nothing_of_what_its_successor_writes(stale: Any, fresh: Any, order: Any) -> None:
    log: Values = {}
    first = Writer(read(log), "aa")
    for key, value in records(first.batch({b"state": b"at the takeover"}, 1)):
        put(log, key, value)
    successor = Writer(read(log), "bb")
    late = [record for n, changes in enumerate(stale) for record in records(first.batch(changes, 2 + n))]
    new = [record for n, changes in enumerate(fresh) for record in records(successor.batch(changes, 2 + n))]
    turns = ["late"] * len(late) + ["new"] * len(new)
    order.shuffle(turns)
    for turn in turns:
        put(log, *(late if turn == "late" else new).pop(0))
    expected: Values = {b"state": b"at the takeover"}
    for changes in fresh:
        expected = after(expected, changes)
    assert read(log).values == expected


def test_what_is_deleted_leaves_no_key_behind_and_a_new_writer_clears_what_others_left() -> None:
    log: Values = {}
    writer = Writer(read(log), "aa")
    for n, changes in enumerate([{b"x": b"1", b"y": b"1"}, {b"x": b"2"}, {b"x": None}]):
        for key, value in records(writer.batch(changes, n)):
            put(log, key, value)
    assert len(log) == 2  # y and the commit record
    torn = writer.batch({b"z": b"1"}, 9)
    for key, value in torn.values.items():
        put(log, key, value)
    for key, value in records(Writer(read(log), "bb").batch({}, 10)):
        put(log, key, value)
    assert read(log).values == {b"y": b"1"}
    assert len(log) == 2


class Changelog:
    """A table in memory, as faust's."""

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}
        self.stop_at: int | None = None
        self.sent = 0

    async def send_changelog(self, partition: int | None, key: Any, value: Any) -> None:
        self.sent += 1
        if self.sent == self.stop_at:
            raise asyncio.CancelledError


def test_a_value_too_large_for_the_changelog_is_final_told_and_stops_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable_table, "MAX_VALUE_BYTES", 100)
    table = DurableTable(Changelog(), lambda values: None, name="folds")
    values = table.open(3)
    asyncio.run(values.write({b"state": b"1", b"window": b"fits"}, 1))
    asyncio.run(values.write({b"state": b"2", b"window": b"x" * 101}, 2))
    assert table.values(3) == {b"state": b"2"}  # and not the window as it was before, which is wrong by now
    assert table.not_stored == {"3/window": 101}
    assert table.durable(3) == 2


def test_after_a_write_that_was_broken_off_its_writer_writes_no_more() -> None:
    changelog = Changelog()
    table = DurableTable(changelog, lambda values: None)
    values = table.open(0)
    asyncio.run(values.write({b"state": b"1"}, 1))
    changelog.stop_at = changelog.sent + 2  # the commit record
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(values.write({b"state": b"2"}, 2))
    with pytest.raises(TransientError, match="broken off"):
        asyncio.run(values.write({b"state": b"3"}, 3))
    assert table.open(0).found == {b"state": b"1"}


def test_partitions_do_not_see_each_others_values() -> None:
    table = DurableTable(Changelog(), lambda values: None)
    for partition in (1, 11, 111):
        asyncio.run(table.open(partition).write({b"state": b"%d" % partition}, partition))
    assert [table.values(p) for p in (1, 11, 111)] == [{b"state": b"1"}, {b"state": b"11"}, {b"state": b"111"}]
