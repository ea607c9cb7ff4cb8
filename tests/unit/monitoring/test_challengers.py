"""Champion and challenger on the same rows: disagreement without labels, the paired gain as they land."""

from datetime import timedelta

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from tests.unit.monitoring.test_performance import project
from tests.unit.monitoring.traffic import START, window

from driftloop.contracts.values import PromotionRules
from driftloop.monitoring.answers import window_answer
from driftloop.monitoring.challengers import challenger_reports, columns, earlier_gains, gate_measurements, with_challengers
from driftloop.monitoring.performance import content_digest, performance_reports
from driftloop.registry.gate import check
from driftloop.rows.probabilities import encode
from driftloop.rows.schemas import CLASS_PROBABILITIES

N = 300
RNG = np.random.default_rng(5)
TRUTH = RNG.random(N) < 0.5
GOOD, BAD = np.clip(TRUTH * 0.4 + RNG.random(N) * 0.6, 0, 1), RNG.random(N)
BINARY = project("boolean", "roc_auc")


def shadow(ours, theirs, label, *, labelled=None, challenger=2, champion=1, entity=None, unscored=0, predictions=None):
    """Shadow rows; the first ``unscored`` have no answer of the challenger's."""
    n = len(ours)
    known, none = np.ones(n, bool) if labelled is None else labelled, np.arange(n) < unscored
    mine, other = predictions or (ours >= 0.5, theirs >= 0.5)
    return pa.table(
        {
            "entity": pa.array([f"k{i}" for i in range(n)] if entity is None else entity, pa.string()),
            "model_version": pa.array([challenger] * n, pa.int64()),
            "prediction": pa.array(mine, mask=none),
            "score": pa.array(ours, mask=none),
            "champion_model_version": pa.array([champion] * n, pa.int64()),
            "champion_prediction": pa.array(other),
            "champion_score": pa.array(theirs),
            "label": pa.array(label, mask=~known),
            "label_time": pa.array([START + timedelta(minutes=1)] * n, pa.timestamp("us", tz="UTC"), mask=~known),
        }
    )


def test_disagreement_needs_no_labels():
    (found,) = challenger_reports(BINARY, shadow(GOOD, BAD, TRUTH, labelled=np.zeros(N, bool)))
    assert (found.version, found.champion, found.rows, found.compared, found.labelled) == (2, 1, N, N, 0)
    assert found.disagreement == np.mean((GOOD >= 0.5) != (BAD >= 0.5))
    assert found.difference == pytest.approx(np.mean(np.abs(GOOD - BAD)))
    assert found.measured is None


def test_gain_is_of_the_same_labelled_rows():
    labelled = np.arange(N) % 3 != 0
    (found,) = challenger_reports(BINARY, shadow(GOOD, BAD, TRUTH, labelled=labelled))
    assert found.labelled == labelled.sum()
    assert found.measured.challenger == pytest.approx(roc_auc_score(TRUTH[labelled], GOOD[labelled]))
    assert found.measured.champion == pytest.approx(roc_auc_score(TRUTH[labelled], BAD[labelled]))
    assert found.measured.gain == pytest.approx(found.measured.challenger - found.measured.champion)
    assert 0 < found.measured.lower < found.measured.gain < found.measured.upper


def test_rows_that_either_could_not_answer_are_no_comparison():
    (found,) = challenger_reports(BINARY, shadow(GOOD, BAD, TRUTH, unscored=40))
    assert (found.rows, found.compared, found.unscored, found.labelled) == (N, N - 40, 40, N - 40)
    assert found.measured.challenger == pytest.approx(roc_auc_score(TRUTH[40:], GOOD[40:]))


def test_challenger_that_answers_nothing_is_told_of():
    (found,) = challenger_reports(BINARY, shadow(GOOD, BAD, TRUTH, unscored=N))
    assert (found.compared, found.disagreement, found.difference, found.measured) == (0, None, None, None)
    assert "answered no row" in str(found)


def test_rows_that_no_champion_answered_are_left_out():
    rows = shadow(GOOD, BAD, TRUTH)
    rows = rows.set_column(rows.schema.get_field_index("champion_model_version"), "champion_model_version", pa.nulls(N, pa.int64()))
    assert challenger_reports(BINARY, rows) == ()


def test_each_pair_of_versions_is_told_apart():
    half = N // 2
    rows = [shadow(GOOD[:half], BAD[:half], TRUTH[:half]), shadow(GOOD[half:], BAD[half:], TRUTH[half:], challenger=3)]
    assert [(each.version, each.rows) for each in challenger_reports(BINARY, pa.concat_tables(rows))] == [(2, half), (3, N - half)]


def test_number_has_moved_beyond_the_project_s_share_of_the_champion_s_spread():
    numbers = project("number", "mae")
    theirs = RNG.normal(100, 10, N)
    ours = theirs + np.where(np.arange(N) < 30, 0.11, 0.09) * np.std(theirs)
    rows = shadow(ours, theirs, theirs, predictions=(ours, theirs))
    (found,) = challenger_reports(numbers, rows)
    assert found.disagreement == pytest.approx(0.1)
    assert found.measured.gain < 0, "of an error, less is better"


def test_metric_of_class_probabilities_is_measured_where_both_have_them():
    several = project("category", "log_loss")
    names = ("a", "b")
    label = np.where(TRUTH, "a", "b").astype(object)
    given = {name: np.column_stack([p, 1 - p]) for name, p in (("ours", np.clip(GOOD, 0.01, 0.99)), ("theirs", np.clip(BAD, 0.01, 0.99)))}
    said = tuple(np.where(p[:, 0] >= 0.5, "a", "b").astype(object) for p in given.values())
    rows = shadow(*(p.max(axis=1) for p in given.values()), label, predictions=said)
    rows = rows.append_column(CLASS_PROBABILITIES, encode(given["ours"], names))
    rows = rows.append_column("champion_probabilities", encode(given["theirs"], names))
    (found,) = challenger_reports(several, rows)
    assert found.measured.gain > 0
    assert found.disagreement == np.mean(said[0] != said[1])
    assert {"probabilities", "champion_probabilities"} <= set(columns(several))


def test_one_class_among_the_labels_is_no_measurement():
    (found,) = challenger_reports(BINARY, shadow(GOOD, BAD, np.ones(N, bool)))
    assert found.measured is None
    assert found.labelled == N


@given(st.permutations(range(40)), st.integers(0, 40))
def test_order_of_the_rows_changes_nothing_that_is_counted(order, labelled):
    rows = shadow(GOOD[:40], BAD[:40], TRUTH[:40], labelled=np.arange(40) < labelled, unscored=3)
    (one,), (other,) = challenger_reports(BINARY, rows), challenger_reports(BINARY, rows.take(pa.array(order)))
    fields = ("rows", "compared", "unscored", "disagreement", "labelled")
    assert [getattr(one, field) for field in fields] == [getattr(other, field) for field in fields]
    assert one.difference == pytest.approx(other.difference)


def test_entities_are_resampled_as_one():
    entity = [f"k{i // 30}" for i in range(N)]
    alone = challenger_reports(BINARY, shadow(GOOD, BAD, TRUTH))[0].measured
    keys = msgspec.structs.replace(BINARY, split_key="entity")
    together = challenger_reports(keys, shadow(GOOD, BAD, TRUTH, entity=entity))[0].measured
    assert together.gain == alone.gain
    assert (together.lower, together.upper) != (alone.lower, alone.upper)


def test_report_tells_of_challengers_and_what_the_window_means_names_them():
    found = challenger_reports(BINARY, shadow(GOOD, BAD, TRUTH))
    rows = shadow(GOOD, BAD, TRUTH).append_column("event_time", pa.array([START] * N, pa.timestamp("us", tz="UTC")))
    rows = rows.set_column(rows.schema.get_field_index("model_version"), "model_version", pa.array([1] * N))
    together, alone = performance_reports(BINARY, window(0), rows, 1, 1)
    answered = msgspec.structs.replace(alone, answer=window_answer(False, (), None))
    assert with_challengers(together, found).challengers == found
    assert "the challenger, version 2, answers" in with_challengers(answered, found).answer.reason
    assert with_challengers(together, ()) is together
    assert content_digest(with_challengers(together, found)) != content_digest(together), "news is told"
    assert with_challengers(alone, found) is alone


def test_gate_judges_the_same_rows_at_the_project_s_confidence():
    labelled = np.arange(N) % 3 != 0
    rows = shadow(GOOD, BAD, TRUTH, labelled=labelled, unscored=10)
    (pair,) = challenger_reports(BINARY, rows)
    found = gate_measurements(BINARY, window(3), rows, pair, ())
    assert (found.rows, found.window, found.champion_version) == (labelled[10:].sum(), window(3), 1)
    assert (found.candidate, found.champion, found.gain) == (pair.measured.challenger, pair.measured.champion, pair.measured.gain)
    assert found.confidence == BINARY.promotion.confidence
    assert pair.measured.lower < found.gain_lower < found.gain, "80 % one-sided lies inside of 90 % two-sided"
    assert found.waited == found.gain
    assert found.churn == pair.disagreement
    assert check(found, PromotionRules()).accepted


def test_gains_of_earlier_windows_of_the_same_pair_add_up():
    rows = shadow(GOOD, BAD, TRUTH)
    (pair,) = challenger_reports(BINARY, rows)
    whole = rows.append_column("event_time", pa.array([START] * N, pa.timestamp("us", tz="UTC")))
    together, *_ = performance_reports(BINARY, window(0), whole, 1, 1)
    others = challenger_reports(BINARY, shadow(GOOD, BAD, TRUTH, challenger=7))
    reports = [
        msgspec.structs.replace(together, window=window(1), challengers=(pair, *others)),
        msgspec.structs.replace(together, window=window(0), challengers=(pair,)),
        msgspec.structs.replace(together, window=window(2), challengers=others),
        msgspec.structs.replace(together, window=window(3), challengers=(pair,)),  # the window itself
        msgspec.structs.replace(together, window=window(0), version=1),
    ]
    earlier = earlier_gains(reports, window(3), pair)
    assert [gain.window for gain in earlier] == [window(0), window(1)]
    assert earlier[0].error == pytest.approx((pair.measured.upper - pair.measured.lower) / 2 / 1.6449, rel=1e-3)
    found = gate_measurements(BINARY, window(3), rows, pair, earlier)
    assert found.waited == pytest.approx(3 * pair.measured.gain)
    assert found.earlier == tuple(earlier)


def test_rows_without_a_measurement_are_nothing_for_the_gate():
    rows = shadow(GOOD, BAD, np.ones(N, bool))
    (pair,) = challenger_reports(BINARY, rows)
    assert gate_measurements(BINARY, window(0), rows, pair, ()) is None
