"""A window against calibrated thresholds: drifted, calm, or nothing that can be said."""

import itertools

import hypothesis.strategies as st
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from tests.unit.monitoring.teller import DIGEST, PROFILE, PROJECT, Teller, of_rows
from tests.unit.monitoring.test_assembly import shifted
from tests.unit.monitoring.test_evidence import REPORTS
from tests.unit.monitoring.traffic import START, make_rows, window

from driftloop.contracts.events import WindowSketched
from driftloop.contracts.values import PartitionSketch
from driftloop.monitoring.assembled_window import WindowSummary
from driftloop.monitoring.drift import drift_reports, worst
from driftloop.monitoring.evidence import window_evidence
from driftloop.monitoring.verdict import LEAST_SCORE_ROWS, constant_thresholds, judge
from driftloop.statistics.drift_thresholds import DriftThresholds
from driftloop.statistics.effect_size import effect_size
from driftloop.statistics.histograms import Counter
from driftloop.statistics.profile import SCORE, Profile

THRESHOLDS = DriftThresholds(
    false_alarms="1 per 90d",
    alpha=0.05,
    windows=40,
    stretches=300,
    rows=(100, 400),
    thresholds=(0.3, 0.2),
    k=PROJECT.policy.drift_k,
    n=PROJECT.policy.drift_n,
    repeated=(0.25, 0.15),
    score_from=400,
)
CALIBRATED = msgspec.structs.replace(PROFILE, drift=THRESHOLDS)


def with_thresholds(**changes) -> Profile:
    return msgspec.structs.replace(CALIBRATED, drift=msgspec.structs.replace(THRESHOLDS, **changes))


def report(rows, profile: Profile = CALIBRATED, project=PROJECT):
    counted = of_rows(rows)
    [made] = drift_reports(project, counted.window, 0, {0: counted}, lambda _: (DIGEST, profile))
    return made


def traffic(n: int = 1000, by: float = 0.0, seed: int = 1):
    rows = make_rows(PROJECT, [START] * n, seed=seed)
    return rows if not by else rows.set_column(rows.schema.get_field_index("amount"), rows.schema.field("amount"), [shifted(rows, by=by)])


def test_a_window_has_drifted_when_the_largest_distance_of_its_columns_is_above_the_threshold_for_its_rows():
    calm, moved = report(traffic()), report(traffic(by=3.0))
    assert (calm.verdict, calm.drifted) == ("calm", False)
    assert (moved.verdict, moved.drifted, moved.column) == ("drifted", True, "amount")
    assert calm.threshold == moved.threshold == 0.2
    assert calm.distance == max(drift.distance for drift in calm.features.values()) < 0.2 < moved.distance
    assert moved.features["amount"].distance == moved.distance
    assert [name for name, drift in moved.features.items() if drift.drifted] == ["amount"]
    assert (moved.alpha, moved.false_alarms, moved.reference_windows, moved.because) == (0.05, "1 per 90d", 40, None)
    assert moved.thresholds == {"distance": 0.2}


def test_what_equals_the_threshold_has_not_drifted():
    moved = report(traffic(by=3.0)).distance
    assert report(traffic(by=3.0), with_thresholds(thresholds=(moved, moved))).verdict == "calm"
    assert report(traffic(by=3.0), with_thresholds(thresholds=(moved, np.nextafter(moved, 0)))).verdict == "drifted"


def test_a_window_of_few_rows_takes_more_and_one_of_too_few_is_not_judged():
    assert report(traffic(150)).threshold > 0.2
    few = report(traffic(99, by=30.0))
    assert (few.verdict, few.drifted, few.threshold, few.repeated) == ("uncalibrated", False, None, None)
    assert few.because == "the window has 99 rows, and thresholds begin at 100"
    assert few.distance == few.features["amount"].distance > 0.5  # the effect is told all the same
    assert not any(drift.drifted for drift in few.features.values())


def test_a_short_reference_says_so_and_judges_nothing():
    short = report(traffic(by=30.0), with_thresholds(windows=3, rows=(), thresholds=(), repeated=()))
    assert (short.verdict, short.drifted, short.reference_windows) == ("uncalibrated", False, 3)
    assert short.because == "the training data are of 3 windows; 20 show what happens in one of so many"
    none = report(traffic(), with_thresholds(rows=(), thresholds=(), repeated=()))
    assert none.because.startswith("no column of the training data can be judged")


def test_a_window_without_rows_has_no_verdict():
    counted = of_rows(traffic(1))
    empty = msgspec.structs.replace(counted, rows=0, sketches=())
    [made] = drift_reports(PROJECT, window(0), 0, {0: empty}, lambda _: (DIGEST, CALIBRATED))
    assert (made.version, made.verdict, made.drifted, made.distance, made.features) == (None, None, False, None, {})
    judged = judge(PROJECT, CALIBRATED, 0, Counter(CALIBRATED).zeros())
    assert (judged.verdict, judged.distance) == ("uncalibrated", 0.0)


def test_a_lost_profile_gives_no_verdict():
    lost = report(traffic(), Profile.lost())
    assert (lost.profile, lost.verdict, lost.drifted, lost.distance) == (None, None, False, None)


def test_a_column_that_follows_the_calendar_is_told_and_not_judged():
    found = report(traffic(by=3.0), with_thresholds(unjudged=("amount",)))
    assert found.verdict == "calm"
    assert found.features["amount"].distance > 0.2
    assert not found.features["amount"].drifted
    assert found.column != "amount"


def test_the_score_is_judged_from_so_many_rows_on():
    """As the rows of a window of which too few were held out in training."""
    for n, judged in ((399, False), (400, True)):
        rows = traffic(n)
        rows = rows.set_column(rows.schema.get_field_index("score"), "score", [np.full(n, 0.001)])
        found = report(rows)
        assert found.score.distance > 0.9
        assert (found.score.drifted, found.drifted) == (judged, judged)
    assert not report(rows, with_thresholds(score_from=None)).drifted


def test_an_unseen_category_and_values_that_are_missing_count():
    rows = traffic()
    strange = rows.set_column(rows.schema.get_field_index("country"), "country", [["atlantis"] * 300 + rows["country"].to_pylist()[300:]])
    found = report(strange)
    assert (found.verdict, found.column) == ("drifted", "country")
    assert found.features["country"].distance == pytest.approx(0.3, abs=0.07)
    missing = rows.set_column(
        rows.schema.get_field_index("items"), rows.schema.field("items"), [[None] * 300 + rows["items"].to_pylist()[300:]]
    )
    assert report(missing).features["items"].distance == pytest.approx(0.3, abs=1e-9)


def test_constants_that_are_written_out_are_kept_whatever_was_calibrated():
    stating = msgspec.structs.replace(PROJECT, monitoring=msgspec.structs.replace(PROJECT.monitoring, stated=("psi",)))
    found = report(traffic(by=0.6), project=stating)
    assert found.thresholds == constant_thresholds(PROJECT.monitoring)
    assert (found.threshold, found.alpha, found.repeated) == (None, None, None)
    assert found.verdict == "calm"
    assert report(traffic(by=30.0), project=stating).verdict == "drifted"


def test_a_profile_of_before_is_judged_by_constants():
    found = report(traffic(by=30.0), PROFILE)
    assert (found.verdict, found.thresholds) == ("drifted", constant_thresholds(PROJECT.monitoring))


def test_constants_do_not_judge_a_score_beside_a_handful_of_rows():
    rows = traffic()
    rows = rows.set_column(rows.schema.get_field_index("score"), "score", [np.full(1000, 0.001)])
    for n, judged in ((LEAST_SCORE_ROWS - 1, False), (LEAST_SCORE_ROWS, True)):
        assert report(rows, msgspec.structs.replace(PROFILE, score_rows=n)).score.drifted == judged
    assert report(rows, PROFILE).score.drifted  # of a release that counted training rows


def test_whether_it_is_one_of_k_of_n_has_a_threshold_of_its_own():
    by = next(by for by in np.arange(0.5, 3, 0.05) if 0.15 < report(traffic(by=by)).distance <= 0.2)
    found = report(traffic(by=by))
    assert (found.verdict, found.repeated, found.repeated_threshold) == ("calm", True, 0.15)
    other = msgspec.structs.replace(PROJECT, policy=msgspec.structs.replace(PROJECT.policy, drift_k=1, drift_n=1))
    assert report(traffic(by=by), project=other).repeated is None  # the policy asks for another event than was calibrated
    assert report(traffic(by=by), with_thresholds(repeated=())).repeated is None


def told(*reports) -> WindowSummary:
    teller = Teller()
    counted = msgspec.structs.replace(of_rows(traffic()), partitions=1)
    teller.assembler.add(counted)
    [held] = teller.assembler.to_report(counted)
    teller.assembler.reported(held, list(reports))
    return held.summary


def test_the_evidence_names_the_distance_and_counts_the_window_as_the_policy_does():
    moved = report(traffic(by=3.0))
    summary = told(moved)
    assert worst(moved) == ("amount", "distance", moved.distance, 0.2)
    evidence = window_evidence(window(0), summary, REPORTS, ())
    assert (evidence.statistic, evidence.value, evidence.threshold, evidence.drifted) == ("distance:amount", moved.distance, 0.2, True)
    once = msgspec.structs.replace(moved, repeated=False)
    assert window_evidence(window(0), told(once), REPORTS, ()).drifted is False
    few = report(traffic(99, by=30.0))
    assert window_evidence(window(0), told(few), REPORTS, ()).threshold is None


def test_a_summary_that_an_earlier_release_stored_is_read():
    stored = {"version": 1, "rows": 5, "drifted": True, "column": "amount", "psi": 0.4, "threshold": 0.25, "closing_offsets": {}}
    summary = msgspec.msgpack.decode(msgspec.msgpack.encode(stored), type=WindowSummary)
    evidence = window_evidence(window(0), summary, REPORTS, ())
    assert (evidence.drifted, evidence.statistic, evidence.value) == (True, "psi:amount", 0.4)


@settings(deadline=None, max_examples=30)
@given(cuts=st.lists(st.integers(0, 700), max_size=5), order=st.randoms(use_true_random=False))
def test_however_the_rows_are_parted_the_report_is_that_of_all_of_them(cuts, order):
    rows = traffic(700, by=1.0)
    ends = sorted({0, 700, *cuts})
    parts = [rows.slice(a, b - a) for a, b in itertools.pairwise(ends)]
    order.shuffle(parts)

    def counted(partition: int, part) -> WindowSketched:
        counts = {name: c.tolist() for name, c in Counter(CALIBRATED).count(part).items()}
        sketch = PartitionSketch(version=1, profile=DIGEST, rows=part.num_rows, counts=counts)
        return msgspec.structs.replace(of_rows(part), partition=partition, rows=part.num_rows, sketches=(sketch,))

    [together] = drift_reports(PROJECT, window(0), 0, {0: counted(0, rows)}, lambda _: (DIGEST, CALIBRATED))
    held = {partition: counted(partition, part) for partition, part in enumerate(parts)}
    [parted] = drift_reports(PROJECT, window(0), 0, held, lambda _: (DIGEST, CALIBRATED))
    assert msgspec.structs.replace(parted, closing_offsets={}) == msgspec.structs.replace(together, closing_offsets={})


def test_the_distance_is_that_of_the_counts():
    rows = traffic(by=1.0)
    counts, found = Counter(CALIBRATED).count(rows), report(rows)
    for name, column in CALIBRATED.columns.items():
        drift = found.score if name == SCORE else found.features[name]
        assert drift.distance == effect_size(column.kind, column.reference, counts[name])
