"""From the end of history, so many rows at a time: every row is looked at once, and no look holds more files than fit."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.support.traffic import event_time

from driftloop.lake import newest_labelled
from driftloop.lake.newest_labelled import looks
from driftloop.lake.table import FileEntry


def file(start: int, seconds: int, rows: int = 10) -> FileEntry:
    return FileEntry(f"{start}", 1, rows, event_time(start), event_time(start + seconds))


def test_a_look_takes_files_while_their_rows_fit(monkeypatch):
    monkeypatch.setattr(newest_labelled, "MOST_ROWS", 25)
    files = [file(at, 9) for at in (0, 10, 20, 30, 40)]
    assert list(looks(files, event_time(50))) == [
        (event_time(30), event_time(50)),
        (event_time(10), event_time(30)),
        (event_time(0), event_time(10)),
    ]


def test_a_file_of_more_rows_than_fit_is_looked_at_alone(monkeypatch):
    monkeypatch.setattr(newest_labelled, "MOST_ROWS", 25)
    files = [file(0, 9), file(10, 9, rows=10**9), file(20, 9)]
    assert list(looks(files, None)) == [
        (event_time(n), event_time(n + 10) if n < 20 else event_time(29) + timedelta(microseconds=1)) for n in (20, 10, 0)
    ]


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 60), st.integers(1, 400_000)), max_size=12), st.integers(-5, 200))
def test_every_row_before_the_end_is_in_one_look(found, before):
    files = [file(*each) for each in found]
    intervals = list(looks(files, event_time(before)))
    times = {event_time(start + at) for start, seconds, _ in found for at in (0, seconds // 2, seconds) if start + at < before}
    assert all(sum(start <= time < end for start, end in intervals) == 1 for time in times)
    assert intervals == sorted(intervals, reverse=True)
