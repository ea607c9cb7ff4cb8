"""The evidence of a decision: the window's summary and its reports, each figure from where it belongs."""

import msgspec
import pytest
from tests.unit.monitoring.traffic import window

from driftloop.contracts.events import PerformanceReported
from driftloop.contracts.values import Interval
from driftloop.monitoring.assembled_window import WindowSummary
from driftloop.monitoring.evidence import Evidence, window_evidence
from driftloop.monitoring.late_labels import CountedLabels, WindowLabels

SUMMARY = WindowSummary(version=2, rows=120, drifted=True, column="amount", value=0.4, threshold=0.25, closing_offsets={"0": 5, "1": 7})


def report(version: int | None, measured: float | None, labelled: int) -> PerformanceReported:
    interval = None if measured is None else Interval(value=measured, lower=measured - 0.1, upper=measured + 0.1)
    return PerformanceReported(
        model="m",
        stream="s",
        version=version,
        window=window(0),
        revision=0,
        metric="roc_auc",
        measured=interval,
        rows=100,
        labelled=labelled,
        coverage=labelled / 100,
        median_label_delay_seconds=1.0,
        inferences_version=11,
        labels_version=12,
    )


REPORTS = [report(None, 0.7, 90), report(1, 0.5, 30), report(2, 0.8, 60)]


def test_the_newest_version_is_measured_and_the_labels_of_all_are_counted():
    assert window_evidence(window(0), SUMMARY, REPORTS, ("r1",)) == Evidence(
        window=window(0),
        version=2,
        rows=120,
        labelled=90,
        drifted=True,
        metric="roc_auc",
        measured=Interval(value=0.8, lower=0.8 - 0.1, upper=0.8 + 0.1),
        statistic="psi:amount",
        value=0.4,
        threshold=0.25,
        closing_offsets={"0": 5, "1": 7},
        inferences_version=11,
        labels_version=12,
        runs_in_flight=("r1",),
    )


@pytest.mark.parametrize("version", [3, None])
def test_a_version_without_a_report_of_its_own_was_not_measured(version):
    found = window_evidence(window(0), msgspec.structs.replace(SUMMARY, version=version), REPORTS, ())
    assert (found.version, found.measured, found.labelled) == (version, None, 90)


def test_a_window_without_a_reference_names_no_column():
    unscored = msgspec.structs.replace(SUMMARY, version=None, drifted=False, column=None, value=None)
    found = window_evidence(window(0), unscored, [report(None, None, 0)], ())
    assert (found.statistic, found.value, found.measured, found.drifted) == (None, None, None, False)


def test_the_report_of_all_versions_together_has_to_be_there():
    with pytest.raises(ValueError, match="no performance report of all versions together"):
        window_evidence(window(0), SUMMARY, REPORTS[1:], ())


def test_evidence_comes_back_from_a_decisions_json():
    found = window_evidence(window(0), SUMMARY, REPORTS, ("r1",))
    assert msgspec.convert(msgspec.json.decode(msgspec.json.encode(found)), Evidence) == found


def test_labels_of_earlier_windows_that_nobody_has_counted_are_new_and_their_window_is_judged_on():
    earlier = [WindowLabels(window=window(-2), rows=120, labelled=100), WindowLabels(window=window(-1), rows=120, labelled=0)]
    counted = {window(i): CountedLabels(at_decision=0, counted=n) for i, n in ((-2, 30), (-1, 0))}
    evidence = window_evidence(window(0), SUMMARY, REPORTS, (), earlier, counted)
    assert (evidence.labels_landed_since, evidence.late, evidence.judge_on) == (70, (earlier[0],), window(-2))
    assert evidence.new_labels == evidence.labelled + 70
