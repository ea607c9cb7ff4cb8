"""Which labels are new to a decision, and which window is judged on, by when labels land."""

import pytest
from tests.unit.monitoring.traffic import window

from driftloop.contracts.events import DecisionMade
from driftloop.monitoring.late_labels import CountedLabels, WindowLabels, counted_labels, late_labels, window_to_judge_on


def labels(*counts: int, rows: int = 100) -> list[WindowLabels]:
    return [WindowLabels(window=window(i), rows=rows, labelled=n) for i, n in enumerate(counts)]


def at_decision(*counts: int):
    return {window(i): CountedLabels(at_decision=n, counted=n) for i, n in enumerate(counts)}


def decision(i: int, labelled: int, *late: tuple[int, int]) -> DecisionMade:
    window_of = [{"window": {"start": window(n).start, "end": window(n).end}, "rows": 100, "labelled": known} for n, known in late]
    evidence = {"labelled": labelled} | ({"late": window_of} if late else {})
    return DecisionMade(model="shop", kind="retrain", accepted=False, reason="t", window=window(i), rule="0" * 64, evidence=evidence)


def test_what_was_counted_is_told_by_the_decisions_alone():
    counted = counted_labels([decision(0, 10), decision(1, 20, (0, 60)), decision(2, 0, (0, 80), (1, 25))])
    assert {w.start: (c.at_decision, c.counted) for w, c in counted.items()} == {
        window(0).start: (10, 80),
        window(1).start: (20, 25),
        window(2).start: (0, 0),
    }


def test_only_labels_beyond_those_that_were_counted_are_new_and_only_of_decided_windows():
    assert late_labels(labels(80, 30, 5), at_decision(80, 25)) == (labels(80, 30)[1],)


@pytest.mark.parametrize(
    ("now", "then", "judged"),
    [
        ((), (), 9),  # nothing is known yet
        ((100, 100, 100), (100, 100, 100), 9),
        ((50, 100, 20), (48, 95, 20), 9),  # coverage may vary as it likes: they were there in time
        ((100, 100, 100), (80, 80, 80), 9),
        ((100, 100, 100), (79, 79, 79), 2),
        ((100, 100, 0, 0), (0, 0, 0, 0), 1),
        ((100, 100, 60, 0), (0, 0, 0, 0), 1),  # half there
        ((30, 30, 28, 5), (0, 0, 0, 0), 2),  # of a stream in which only a third of the rows ever get a label
        ((0, 0, 0), (0, 0, 0), 9),
    ],
)
def test_the_newest_window_with_all_but_complete_labels_is_judged_on(now, then, judged):
    assert window_to_judge_on(window(9), labels(*now), at_decision(*then)) == window(judged)


def test_a_window_whose_decision_is_not_kept_any_more_says_nothing_of_when_labels_land():
    decided = {known: counts for known, counts in at_decision(0, 0, 0, 80, 80).items() if known.start >= window(3).start}
    assert window_to_judge_on(window(9), labels(100, 100, 100, 100, 100), decided) == window(9)
    assert late_labels(labels(100, 100, 100, 100, 100), decided) == tuple(labels(100, 100, 100, 100, 100)[3:])
