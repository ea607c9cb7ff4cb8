"""A replay sends everything between two windows' ends, also where no row happens."""

from tests.unit.history.facts import window

from driftloop.replay.story import stretches


def test_stretches_leave_no_gap_where_a_window_has_no_rows() -> None:
    windows = [window(n) for n in (0, 1, 4, 5)]
    found = stretches(windows, 2)
    assert [of for _, of in found] == windows[2:]
    assert [start for start, _ in found] == [windows[1].end, windows[2].end]
    assert found[0][0] < windows[2].start, "labels of the windows without rows"
