"""What a fold writes down: the windows that changed, each in a value of its own that is bounded."""

from datetime import datetime

import msgspec
import pyarrow as pa
import pytest
from tests.unit.monitoring.test_partition_fold import PROFILES, PROJECT, at, new_fold
from tests.unit.monitoring.traffic import HOUR, in_batch, make_rows, message, together, window

from driftloop.monitoring import open_window, partition_fold
from driftloop.monitoring.partition_fold import PartitionFold
from driftloop.monitoring.partition_state import STATE_KEY, decode_state, stored_state, window_key


class Stored:
    """A fold and its table."""

    def __init__(self) -> None:
        self.fold, self.table, self.offset, self.request = new_fold(), dict[bytes, bytes](), 0, 0

    def take(self, *hours: float, watermark: datetime | None = None) -> set[bytes]:
        """The keys that are written after one message."""
        rows = make_rows(PROJECT, [at(h) for h in hours], first_request=self.request, seed=self.offset)
        self.fold.add(self.offset, *message(rows, self.request, watermark=watermark))
        self.offset, self.request = self.offset + 1, self.request + rows.num_rows
        return self.store()

    def store(self) -> set[bytes]:
        changes = self.fold.changes()
        for key, value in changes.items():
            self.table.pop(key, None)
            if value is not None:
                self.table[key] = value
        return set(changes)

    def restart(self) -> PartitionFold:
        state = stored_state(self.table)
        assert state is not None
        self.fold = new_fold(state)
        return self.fold


def test_a_message_writes_the_windows_that_its_rows_are_of_and_no_other():
    stored = Stored()
    assert stored.take(0.1, 1.1) == {window_key(window(0)), window_key(window(1)), STATE_KEY}
    assert stored.take(1.2) == {window_key(window(1)), STATE_KEY}
    assert stored.take() == {STATE_KEY}
    assert len(stored.table[STATE_KEY]) < 300


def test_a_restart_goes_on_with_all_windows_and_clears_those_that_are_forgotten():
    stored = Stored()
    for hour in range(8):
        stored.take(hour + 0.1, hour + 0.2)
        if hour == 5:
            before = stored.fold.state().windows
            assert stored.restart().state().windows == before
    kept = [held.window for held in stored.fold.state().windows]
    assert kept == [window(i) for i in range(4, 8)]
    assert set(stored.table) == {STATE_KEY, *map(window_key, kept)}


def test_a_stray_that_gives_way_is_stored_no_longer(monkeypatch):
    monkeypatch.setattr(partition_fold, "MAX_WINDOWS", 3)
    stored = Stored()
    stored.take(*(24 * 3650 + i for i in range(3)))
    assert window_key(window(24 * 3650 + 2)) in stored.table
    stored.take(0.1)
    assert {window_key(held.window) for held in stored.fold.state().windows} == stored.table.keys() - {STATE_KEY}
    assert window_key(window(24 * 3650 + 2)) not in stored.table


def test_what_an_earlier_release_stored_in_one_value_is_stored_apart():
    stored = Stored()
    stored.take(0.1, 1.1)
    before = stored.fold.state()
    whole = msgspec.msgpack.encode(before)
    assert decode_state(whole).windows != []
    apart, stored.table = dict(stored.table), {STATE_KEY: whole}
    assert stored.restart().state() == before
    stored.store()
    assert stored.table == apart


def test_windows_whose_counts_are_too_many_go_on_with_their_rows_alone_and_say_so(monkeypatch: pytest.MonkeyPatch):
    stored = Stored()
    stored.take(0.1)
    stored.take(1.1, 1.2)
    small = len(stored.table[window_key(window(1))])
    monkeypatch.setattr(open_window, "MAX_WINDOW_BYTES", small - 1)
    stored.take(1.3)
    assert list(stored.fold.too_wide) == [window(1)]
    assert stored.fold.too_wide[window(1)] >= small
    assert len(stored.table[window_key(window(1))]) < small
    stored.restart()
    stored.take(1.4, 2.5, watermark=at(2))
    closed = {sketch.window: sketch for sketch in stored.fold.drain()}
    assert (closed[window(1)].rows, closed[window(1)].sketches[0].rows, closed[window(1)].sketches[0].counts) == (4, 4, {})
    assert window(1) in stored.fold.too_wide


def test_counts_that_were_let_go_of_do_not_begin_again_with_later_rows(monkeypatch: pytest.MonkeyPatch):
    stored = Stored()
    with monkeypatch.context() as narrow:
        narrow.setattr(open_window, "MAX_WINDOW_BYTES", 200)
        stored.take(0.1, 0.2)
    stored.take(0.3)  # counts of one row would fit, and say something else than the rows do
    stored.restart()
    stored.take(0.4, watermark=at(1))
    [sketch] = stored.fold.drain()
    assert (sketch.rows, sketch.sketches[0].rows, sketch.sketches[0].counts) == (4, 4, {})


def test_a_window_that_closes_before_it_was_ever_stored_is_bounded_where_it_is_sent(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(open_window, "MAX_WINDOW_BYTES", 200)
    fold = new_fold()
    fold.add(0, *message(make_rows(PROJECT, [at(0.1), at(1.1)]), 0))
    [sketch] = fold.drain()
    assert (sketch.rows, sketch.sketches[0].counts) == (1, {})


def test_counts_are_the_batch_computation_after_a_restart_from_apart_values():
    stored, sent, sketches = Stored(), [], []
    for i in range(30):
        rows = make_rows(PROJECT, [at(i / 5), at(i / 5) - HOUR / 2], seed=i, first_request=2 * i)
        sent.append(rows)
        stored.fold.add(i, *message(rows, 2 * i))
        sketches += stored.fold.drain()
        stored.store()
        if i % 7 == 3:
            stored.restart()
    stored.fold.add(30, *message(make_rows(PROJECT, []), 60, watermark=at(9)))
    sketches += stored.fold.drain()
    assert together(sketches) == in_batch(pa.concat_tables(sent), PROFILES)
