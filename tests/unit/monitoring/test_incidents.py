"""Alarms in a row that have a cause in common are one incident, however windows are corrected, repeated or restarted."""

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given, settings
from tests.unit.monitoring.teller import DIGEST, PROJECT, SKETCHES_ID, sketch
from tests.unit.monitoring.test_verdict import CALIBRATED, of_rows, traffic
from tests.unit.monitoring.traffic import window

from driftloop.contracts.events import IncidentReported
from driftloop.monitoring.assembly import WindowAssembler
from driftloop.monitoring.drift import drift_reports
from driftloop.monitoring.incidents import COLUMNS_KEPT, Alarm, after, drifted_columns, event_id, standings, told

CALM = "calm"


def alarm(n: int, *columns: str, verdict: str | None = "drifted", size: float = 0.4) -> Alarm:
    return Alarm(window(n), verdict if columns or verdict != "drifted" else CALM, dict.fromkeys(columns, size), 1)


def folded(*alarms: Alarm):
    return [(one.state, one.incident.windows, set(one.incident.columns)) for one in standings("m", None, alarms).values()]


def test_windows_in_a_row_that_drifted_in_the_same_columns_are_one_incident():
    open_one, said = None, []
    for one in (alarm(0), alarm(1, "a", size=0.3), alarm(2, "a", "b", size=0.5), alarm(3, "b"), alarm(4), alarm(5)):
        open_one, changed = after("m", open_one, one)
        said += [(n.state, n.window, n.incident.windows) for n in changed]
    assert said == [("opened", window(1), 1), ("changed", window(2), 2), ("changed", window(3), 3), ("closed", window(4), 3)]
    [standing] = standings("m", None, (alarm(1, "a", size=0.3), alarm(2, "a", "b", size=0.5), alarm(3, "b"))).values()
    found = standing.incident
    assert (found.start, found.end, found.columns, found.severity) == (window(1).start, window(3).end, {"a": 0.5, "b": 0.5}, 0.5)


def test_other_columns_alone_are_another_incident():
    assert folded(alarm(0, "a"), alarm(1, "b")) == [("closed", 1, {"a"}), ("opened", 1, {"b"})]


def test_a_calm_window_lies_between_two_incidents():
    assert folded(alarm(0, "a"), alarm(1), alarm(2, "a")) == [("closed", 1, {"a"}), ("opened", 1, {"a"})]


@pytest.mark.parametrize("verdict", ["uncalibrated", None])
def test_a_window_without_a_verdict_ends_nothing_and_begins_nothing(verdict):
    unknown = alarm(1, verdict=verdict)
    assert folded(unknown) == []
    assert folded(alarm(0, "a"), unknown, alarm(2, "a")) == [("changed", 2, {"a"})]


def test_of_many_columns_the_furthest_are_kept():
    many = {f"c{n:03}": 0.3 + n / 1000 for n in range(100)}
    _, [standing] = after("m", None, Alarm(window(0), "drifted", many, 1))
    longer, _ = after("m", standing.incident, Alarm(window(1), "drifted", {"c099": 0.9, **{f"d{n}": 0.5 for n in range(90)}}, 1))
    assert len(longer.columns) == COLUMNS_KEPT
    assert longer.columns["c099"] == 0.9


class Told:
    """An assembler beside the events that it has told, as a reader knows them: the last one of each incident."""

    def __init__(self) -> None:
        self.assembler, self.table, self.offset = WindowAssembler(PROJECT.stream, {}, SKETCHES_ID), dict[bytes, bytes](), 0
        self.events: list[IncidentReported] = []

    def tell(self, n: int, by: float, offset: int = 10, *, crash: bool = False) -> None:
        """Window ``n`` with the amounts that much higher. ``crash``: before anything is stored."""
        counted = msgspec.structs.replace(of_rows(traffic(400, by=by)), window=window(n), partitions=1, closing_offset=offset)
        if self.assembler.add(counted):
            for held in list(self.assembler.to_report(counted)):
                reports = drift_reports(PROJECT, held.window, held.revision + 1, held.by_partition, lambda _: (DIGEST, CALIBRATED))
                self.events += self.assembler.incidents(held, reports)
                self.assembler.reported(held, reports)
        if crash:
            self.restart()
            return
        self.offset += 1
        for key, value in self.assembler.changes(self.offset).items():
            if value is None:
                self.table.pop(key, None)
            else:
                self.table[key] = value

    def restart(self) -> None:
        self.assembler = WindowAssembler(PROJECT.stream, dict(self.table), SKETCHES_ID)

    def known(self) -> list[tuple[str, int, int]]:
        last = {event.incident: event for event in self.events}
        return sorted((event.start.hour, event.state == "closed", event.windows) for event in last.values() if event.windows)


def test_the_report_of_a_window_opens_prolongs_and_closes_its_incident():
    teller = Told()
    for n, by in enumerate((0.0, 3.0, 4.0, 0.0)):
        teller.tell(n, by)
    assert [(event.state, event.windows, event.window) for event in teller.events] == [
        ("opened", 1, window(1)), ("changed", 2, window(2)), ("closed", 2, window(3)),
    ]  # fmt: skip
    assert "amount" in teller.events[0].columns
    assert teller.events[0].version == 1
    assert len({event.incident for event in teller.events}) == 1


def test_a_repeat_after_a_crash_says_the_same_under_the_same_id():
    teller = Told()
    teller.tell(0, 0.0)
    teller.tell(1, 3.0, crash=True)
    teller.tell(1, 3.0)
    assert len(teller.events) == 2
    assert event_id(teller.events[0]) == event_id(teller.events[1])
    teller.tell(2, 4.0)
    assert len({event_id(event) for event in teller.events}) == 2


def test_late_rows_that_change_nothing_about_it_are_not_told():
    teller = Told()
    teller.tell(0, 3.0)
    teller.tell(0, 3.0, offset=11)
    assert len(teller.events) == 1


def test_an_incident_that_late_rows_take_back_is_closed_without_windows():
    teller = Told()
    teller.tell(0, 3.0)
    teller.tell(0, 0.0, offset=11)
    assert [(event.state, event.windows, event.columns) for event in teller.events[1:]] == [("closed", 0, {})]
    assert teller.known() == []
    teller.tell(0, 3.0, offset=12)
    assert teller.known() == [(0, False, 1)]


def test_a_window_that_late_rows_make_calm_again_shortens_the_incident_before_it():
    teller = Told()
    for n, by in enumerate((3.0, 3.0, 3.0)):
        teller.tell(n, by)
    teller.tell(1, 0.0, offset=11)
    assert teller.known() == [(0, True, 1), (2, False, 1)]


def test_a_summary_of_before_opens_nothing():
    teller = Told()
    teller.tell(0, 3.0)
    key = next(key for key in teller.table if b"/counts/" not in key and key[:1].isdigit())
    stored = msgspec.msgpack.decode(teller.table[key])
    for name in ("verdict", "drifted_columns", "incident", "repeated", "statistic"):
        stored["summary"].pop(name, None)
    teller.table[key] = msgspec.msgpack.encode(stored)
    teller.restart()
    teller.events.clear()
    teller.tell(1, 3.0)
    assert teller.known() == [(1, False, 1)]


@settings(deadline=None, max_examples=25)
@given(
    shifts=st.lists(st.sampled_from([0.0, 3.0]), min_size=1, max_size=5),
    corrections=st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0.0, 3.0])), max_size=4),
    restarts=st.sets(st.integers(0, 8)),
)
def test_whatever_is_corrected_and_restarted_what_is_known_is_the_fold_over_the_windows_as_they_are(shifts, corrections, restarts):
    teller = Told()
    as_it_is = dict(enumerate(shifts))
    steps = [*as_it_is.items(), *((n, by) for n, by in corrections if n < len(shifts))]
    for number, (n, by) in enumerate(steps):
        if number in restarts:
            teller.restart()
        teller.tell(n, by, offset=10 + number)
        as_it_is[n] = by
    once = Told()
    for n, by in as_it_is.items():
        once.tell(n, by)
    assert teller.known() == once.known()


def test_what_is_told_after_a_correction_is_what_differs():
    before = [alarm(1), alarm(2, "a")]
    assert told("m", "s", None, before, before, window(1)) == []
    [merged] = told("m", "s", None, [alarm(2, "a")], [alarm(2, "a", "b")], window(2))
    assert (merged.state, set(merged.columns)) == ("opened", {"a", "b"})


def test_no_rows_and_no_version_have_no_columns():
    [empty] = drift_reports(PROJECT, window(0), 0, {0: sketch(0, rows=0)}, lambda _: (DIGEST, CALIBRATED))
    assert (drifted_columns(empty), empty.verdict) == ({}, None)
