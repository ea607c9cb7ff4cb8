"""Drift and loss make four answers; columns are named by what their drift may cost."""

import pytest
from tests.unit.monitoring.traffic import window

from driftloop.contracts.events import DriftReported
from driftloop.contracts.values import FeatureDrift, LossAlarm, MovedColumn
from driftloop.monitoring.answers import KEPT, moved_columns, ranked, window_answer


def alarm(raised: bool) -> LossAlarm:
    return LossAlarm(
        loss="squared",
        reference=0.2,
        bound=0.21,
        reference_from="training",
        e=33.0 if raised else 0.7,
        alpha=0.05,
        windows=9,
        raised=raised,
    )


def column(name: str, distance: float, drifted: bool = True) -> MovedColumn:
    return MovedColumn(column=name, distance=distance, drifted=drifted)


COLUMNS = (column("amount", 0.4), column("country", 0.3), column("items", 0.1, drifted=False))


@pytest.mark.parametrize(
    ("drifted", "raised", "answer", "columns"),
    [
        (False, False, "calm", []),
        (True, False, "benign-drift", ["amount", "country"]),
        (False, True, "silent-decay", ["amount", "country", "items"]),
        (True, True, "harmful-drift", ["amount", "country"]),
    ],
)
def test_drift_and_loss_make_four_answers(drifted, raised, answer, columns):
    found = window_answer(drifted, COLUMNS, alarm(raised))
    assert (found.answer, [c.column for c in found.columns], found.harm_known) == (answer, columns, True)
    assert found.alarm == alarm(raised)


@pytest.mark.parametrize(("drifted", "answer"), [(False, "calm"), (True, "benign-drift")])
def test_while_nobody_knows_the_loss_no_harm_is_said_and_it_is_said_that_it_is_not_known(drifted, answer):
    found = window_answer(drifted, COLUMNS, None)
    assert (found.answer, found.harm_known, found.alarm) == (answer, False, None)
    assert "not known yet" in found.reason


def test_an_answer_explains_itself():
    assert window_answer(True, COLUMNS, alarm(True)).reason == (
        "drift in amount, country; the loss has risen (evidence 33 after 9 windows, alarm at 20; the loss was 0.2000 at training)"
    )
    assert window_answer(False, [], alarm(True)).reason.startswith("no drift; the loss has risen")
    many = [column(f"c{i}", 0.5) for i in range(8)]
    assert window_answer(True, many, alarm(False)).reason.startswith("drift in c0, c1, c2, c3, c4 and 3 more; no sign that")


def test_columns_are_ranked_by_distance_and_importance_where_that_was_measured():
    assert [c.column for c in ranked(COLUMNS, None)] == ["amount", "country", "items"]
    weighed = ranked(COLUMNS, {"amount": 0.001, "country": 0.1, "items": -0.02})
    assert [(c.column, c.importance) for c in weighed] == [("country", 0.1), ("amount", 0.001), ("items", -0.02)]
    assert [c.column for c in ranked(COLUMNS, {})] == ["amount", "country", "items"]  # none of them was there at training


def drift(ks: float, drifted: bool) -> FeatureDrift:
    return FeatureDrift(
        psi=ks, ks=ks, missing_share=0.0, unseen_share=0.0, out_of_range_share=0.0, drifted=drifted, statistics={"psi": ks, "ks": ks}
    )


def report(features: dict[str, FeatureDrift], score: FeatureDrift | None) -> DriftReported:
    return DriftReported(
        model="m",
        stream="s",
        version=1,
        profile="0" * 64,
        window=window(0),
        revision=0,
        rows=10,
        late_rows=0,
        closing_offsets={},
        features=features,
        score=score,
        drifted=True,
        thresholds={},
    )


def test_of_a_report_the_drifted_columns_are_kept_before_those_that_only_moved():
    found = moved_columns(report({"a": drift(0.1, True), "b": drift(0.9, False), "c": drift(0.3, True)}, drift(0.2, True)))
    assert [(c.column, c.drifted) for c in found] == [("c", True), ("$score", True), ("a", True), ("b", False)]
    many = moved_columns(report({f"f{i:03}": drift(i / 100, False) for i in range(50)}, None))
    assert (len(many), many[0].column) == (KEPT, "f049")


def test_a_window_that_was_not_compared_has_no_columns():
    assert moved_columns(report({}, None)) == ()
