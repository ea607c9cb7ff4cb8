"""Which of the windows that are no longer remembered are to be measured again."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.monitoring.teller import Teller, sketch
from tests.unit.monitoring.traffic import HOUR, START, make_project, window

from driftloop.contracts.values import Window
from driftloop.monitoring.forgotten_windows import Forgotten, WindowsToMeasure

PLAN = make_project().windows
RANGES = st.lists(st.tuples(st.integers(-5, 40), st.integers(0, 6)), max_size=8)


@settings(max_examples=200, deadline=None)
@given(ranges=RANGES, start=st.integers(0, 10), length=st.integers(1, 20))
def test_the_windows_are_those_that_are_touched_and_forgotten_each_once_and_the_oldest_first(ranges, start, length) -> None:
    forgotten = Forgotten(window(start).start, window(start + length - 1).end, HOUR)
    to_measure = WindowsToMeasure(PLAN)
    expected = set()
    for low, more in ranges:
        to_measure.add(window(low).start + HOUR / 2, window(low + more).start, forgotten)
        expected |= {i for i in range(low, low + more + 1) if start <= i < start + length}
    found = []
    while to_measure:
        for one in to_measure.first(3):
            found.append(one)
            to_measure.done(one)
    assert found == [window(i) for i in sorted(expected)]


def test_a_year_of_minutes_takes_no_more_room_than_a_minute() -> None:
    to_measure = WindowsToMeasure(PLAN)
    to_measure.add(START, START + timedelta(days=365), Forgotten(START, START + timedelta(days=365), HOUR))
    assert len(to_measure.first(10)) == 10
    assert len(to_measure._runs) == 1


def test_windows_of_another_length_begin_anew() -> None:
    hours = Forgotten.of(window(0)).and_then(window(1))
    assert (hours.start, hours.end) == (window(0).start, window(1).end)
    minute = Window(start=window(2).start, end=window(2).start + HOUR / 60)
    assert hours.and_then(minute) == Forgotten(minute.start, minute.end, HOUR / 60)


def test_an_assembler_knows_which_windows_it_has_forgotten_also_after_a_restart(monkeypatch) -> None:
    monkeypatch.setattr("driftloop.monitoring.assembly.REMEMBERED_WINDOWS", 10)
    teller = Teller()
    assert teller.assembler.forgotten is None
    teller.assembler.decided_up_to = window(15).end
    for i in range(15):
        teller.tell(sketch(0, i, offset=i, rows=1), sketch(1, i, offset=i, rows=1))
    teller.restart()
    assert teller.assembler.forgotten == Forgotten(window(0).start, window(4).end, HOUR)
