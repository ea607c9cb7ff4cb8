"""The fold of the record: what it keeps, in what bounds, and that a checkpoint is the same."""

import msgspec
import numpy as np
import pytest
from bench.console_events import DRIFT_FOR, about, decision, drift, drifts, incident, loop, performance, window
from tests.unit.console.desk import record_of
from tests.unit.history import facts as story

from driftloop_console.drift_table import AT_THRESHOLD
from driftloop_console.journal import Journal, entry_of
from driftloop_console.record import ConsoleFold

RNG = np.random.default_rng(0)


def test_the_newest_revision_of_a_window_stands() -> None:
    first, second = drift(50, 1, 3, RNG), drift(51, 1, 3, RNG)
    corrected = msgspec.structs.replace(first, revision=1, rows=2000, features={"f0": second.features["f1"]})
    for told in ([first, corrected], [corrected, first]):
        fold = record_of([(event, about(event, str(n), 50)) for n, event in enumerate(told)])
        table = fold.models["shop"].drift.table
        assert table["rows"].tolist() == [2000]
        assert table["cells"][0, 0] < AT_THRESHOLD


def test_a_reading_in_pieces_with_a_checkpoint_between_gives_what_a_whole_one_gives() -> None:
    told = list(loop(120, 4, 3))
    whole, half = record_of(told), record_of(told[: len(told) // 2])
    resumed = ConsoleFold()
    resumed.restore(half.stored())
    for event, envelope in told[len(told) // 2 :]:
        resumed.add(event, envelope)
    assert resumed.stored() == whole.stored()
    with pytest.raises(ValueError):
        resumed.restore(b"no checkpoint")


def test_an_incident_is_one_entry_as_it_was_told_last_and_none_when_it_was_taken_back() -> None:
    journal = Journal()
    for n in range(50, 50 + DRIFT_FOR):
        journal.add(incident(n, 1), about(incident(n, 1), f"i{n}", n))
    [entry] = journal.newest(quiet=False)
    assert (entry.kind, entry.tone) == ("incident", "plain")
    assert "f0 drifted from the training data of version 1" in entry.sentence
    taken_back = msgspec.structs.replace(incident(54, 1), windows=0)
    journal.add(taken_back, about(taken_back, "back", 55))
    assert len(journal) == 0


def test_the_journal_keeps_the_newest_and_the_quiet_ones_push_nobody_out() -> None:
    journal = Journal(kept=10)
    journal.add(decision(50), about(decision(50), "yes", 50))
    for n in range(100, 150):
        journal.add(decision(n), about(decision(n), f"no-{n}", n))
    shown = journal.newest(quiet=False)
    assert all(entry.tone != "quiet" for entry in shown)
    assert {entry.start for entry in shown if entry.sentence.startswith("train again after 2025-01-03")}
    assert len(journal) <= 3 * 10


def test_evidence_leaves_out_what_grows_with_partitions() -> None:
    entry = entry_of(decision(50), about(decision(50), "d", 50))
    assert b"closing_offsets" not in entry.evidence
    assert b'"labelled":950' in entry.evidence
    large = msgspec.structs.replace(decision(50), evidence={"rows": 7, "all": ["x" * 100] * 1000})
    assert len(entry_of(large, about(large, "l", 50)).evidence) < 1000


def test_a_run_is_put_together_from_its_events_in_any_order() -> None:
    events = [("r1", story.requested()), ("s", story.started("r1")), ("c", story.completed("r1")), ("d", story.judged("r1"))]
    for told in (events, events[::-1]):
        fold = record_of([(event, story.about(event, event_id)) for event_id, event in told])
        run = fold.runs.run("r1")
        assert run is not None
        assert (run.recipe, run.rows, run.asked_by) == ("all", 1, "test")
        assert run.accepted is not None


def test_ten_thousand_windows_of_fifty_columns_take_a_few_megabytes() -> None:
    fold = ConsoleFold()
    event, measured = drift(50, 1, 50, RNG), performance(50, None, RNG)
    tables = None
    for n in range(10_000):
        at = window(n)
        fold.add(msgspec.structs.replace(event, window=at, version=1 + n // 500), about(event, "x", 0))
        fold.add(msgspec.structs.replace(measured, window=at), about(event, "x", 0))
        tables = fold.models["shop"]
    assert tables is not None
    assert tables.drift.table.rows == 10_000
    assert fold.nbytes < 12 * 1024 * 1024  # with the room that arrays grow into; what they hold is half of it


def test_a_number_that_no_column_holds_is_the_largest_that_it_does() -> None:
    absurd = msgspec.structs.replace(drift(50, 1, 2, RNG), rows=10**40, version=10**30)
    fold = record_of([(absurd, about(absurd, "a", 50))])
    assert fold.models["shop"].drift.table["rows"].tolist() == [2**62]


def test_windows_of_a_hundred_repeat() -> None:
    assert [n for n in range(100) if drifts(n)] == [50, 51, 52, 53, 54]
