"""From a complete window to its report and its one decision: in order, once, and only when lake and labels have caught up."""

from datetime import timedelta

import msgspec
import pytest
from tests.unit.monitor.decider_bench import PROJECT, Bench, complete, evidence_of
from tests.unit.monitoring.traffic import START, window

from driftloop.adapters.kafka import Publisher
from driftloop.contracts.codec import caused_id
from driftloop.contracts.events import DecisionMade, RetrainRequested, TrainingFailed
from driftloop.contracts.topics import DECISIONS, PERFORMANCE_REPORTS, RETRAIN_REQUESTS, TRAINING_RUNS
from driftloop.contracts.values import Window
from driftloop.errors import TransientError
from driftloop.monitoring.assembled_window import AssembledWindow
from driftloop.monitoring.assembly import decided_up_to


def test_a_settled_window_is_measured_decided_and_requested_once(bench):
    for _ in range(3):
        bench.step(0)
    [decision], [request] = bench.events(DECISIONS), bench.events(RETRAIN_REQUESTS)
    assert decision.accepted
    assert decision.window == request.window == window(0)
    assert bench.ids(DECISIONS) == [caused_id("decision", "retrain", PROJECT.model, window(0).start, window(0).end)]
    assert bench.ids(RETRAIN_REQUESTS) == [decision.request_id] == [caused_id("retrain", PROJECT.model, window(0).start, window(0).end)]
    together, by_version = bench.events(PERFORMANCE_REPORTS)
    assert (together.version, by_version.version, by_version.labelled, by_version.median_label_delay_seconds) == (None, 1, 100, 300.0)
    assert together.coverage == pytest.approx(100 / 120)


@pytest.mark.parametrize("missing", ["held", "known"])
def test_a_decision_waits_for_the_lake_and_for_the_labels(bench, missing):
    setattr(bench.lake, missing, False)
    bench.step(0)
    assert bench.events(DECISIONS) == []
    setattr(bench.lake, missing, True)
    bench.step(0)
    assert len(bench.events(DECISIONS)) == 1


def test_windows_are_decided_in_order_and_a_run_in_flight_holds_the_second(bench):
    bench.step(0, 1)
    first, second = bench.events(DECISIONS)
    assert (first.window, first.accepted) == (window(0), True)
    assert (second.window, second.accepted) == (window(1), False)
    assert second.reason.startswith(f"run {first.request_id} is in flight")


@pytest.mark.parametrize(("hours_ago", "accepted"), [(2, False), (100, True)])
def test_a_request_whose_run_never_ends_holds_back_the_next_for_a_while_and_not_for_ever(bench, hours_ago, accepted):
    lost = RetrainRequested(model=PROJECT.model, reason="window", detail="", window=window(-9), requested_by="somebody", evidence={})
    asked_at = START - timedelta(hours=hours_ago)
    bench.publisher.publish(RETRAIN_REQUESTS, lost, key=PROJECT.model, id="lost", time=asked_at)
    bench.step(0)
    assert [d.accepted for d in bench.events(DECISIONS)] == [accepted]


def test_the_end_of_a_run_frees_the_next_attempt(bench):
    bench.step(0)
    request_id = bench.events(DECISIONS)[0].request_id
    failed = TrainingFailed(model=PROJECT.model, request_id=request_id, answers=(request_id,), reason="t")
    bench.publisher.publish(TRAINING_RUNS, failed, key=PROJECT.model, id="f")
    bench.step(0, 1)
    assert [d.accepted for d in bench.events(DECISIONS)] == [True, True]


def test_a_restarted_decider_decides_nothing_again(bench):
    bench.step(0)
    bench.restart()
    bench.step(0)
    assert len(bench.events(DECISIONS)) == len(bench.events(RETRAIN_REQUESTS)) == 1
    assert len(bench.events(PERFORMANCE_REPORTS)) == 2


def test_a_request_that_a_crash_kept_back_is_published_after_the_restart_with_the_same_id(bench):
    bench.publisher.refused = RETRAIN_REQUESTS
    with pytest.raises(TransientError):
        bench.step(0)
    assert bench.events(RETRAIN_REQUESTS) == []
    bench.restart()
    bench.step(0)
    [decision] = bench.events(DECISIONS)
    assert bench.ids(RETRAIN_REQUESTS) == [decision.request_id]


def test_a_request_that_an_outage_kept_back_is_published_when_the_broker_is_there_again(bench):
    """No restart comes between, and nothing else happens that would make the decider look again."""
    bench.publisher.refused = RETRAIN_REQUESTS
    with pytest.raises(TransientError):
        bench.step(0)
    bench.publisher.refused = None
    for _ in range(3):
        bench.step(0)
    [decision] = bench.events(DECISIONS)
    assert bench.ids(RETRAIN_REQUESTS) == [decision.request_id]


def test_the_first_decision_in_the_log_stands_whatever_a_twin_would_have_said(bench):
    no = DecisionMade(
        model=PROJECT.model, kind="retrain", accepted=False, reason="t", window=window(0), rule="0" * 64, evidence=evidence_of(bench)
    )
    bench.publisher.publish(
        DECISIONS, no, key=PROJECT.model, id=caused_id("decision", "retrain", PROJECT.model, window(0).start, window(0).end)
    )
    bench.step(0)
    assert bench.events(DECISIONS) == [no]
    assert bench.events(RETRAIN_REQUESTS) == []


def test_two_windows_that_share_a_start_have_a_report_and_a_decision_each(bench):
    bench.step(0)
    held = complete(0)
    day = Window(start=window(0).start, end=window(0).start + timedelta(days=1))
    for _ in range(3):
        bench.decider.step([held, AssembledWindow(day, revision=0, summary=held.summary)])
    assert [d.window for d in bench.events(DECISIONS)] == [window(0), day]
    assert [r.window for r in bench.events(PERFORMANCE_REPORTS) if r.version is None] == [window(0), day]
    for topic in (DECISIONS, PERFORMANCE_REPORTS):
        assert len(set(bench.ids(topic))) == len(bench.ids(topic))


def test_a_window_that_was_decided_under_another_id_is_not_decided_again(bench):
    """Ids of earlier releases did not name the window's end."""
    no = DecisionMade(
        model=PROJECT.model, kind="retrain", accepted=False, reason="t", window=window(0), rule="0" * 64, evidence=evidence_of(bench)
    )
    bench.publisher.publish(DECISIONS, no, key=PROJECT.model, id=caused_id("decision", "retrain", PROJECT.model, window(0).start))
    bench.step(0)
    assert bench.events(DECISIONS) == [no]


def forged_decision(i: int, evidence: dict, request_id: str | None = None) -> DecisionMade:
    return DecisionMade(
        model=PROJECT.model,
        kind="retrain",
        accepted=True,
        reason="because I say so",
        window=window(i),
        rule="0" * 64,
        evidence=msgspec.to_builtins(evidence),
        request_id=request_id,
    )


@pytest.mark.parametrize("changes", [{}, {"rows": "many"}, {"window": None}, {"trigger": "because"}, {"window": "other"}])
def test_a_forged_decision_whose_evidence_is_none_neither_stops_the_decider_nor_stands_in_its_way(bench, changes):
    evidence = {"window": window(0), "version": 1, "rows": 1, "labelled": 1, "drifted": False, "metric": "roc_auc", "trigger": "window"}
    if changes.get("window") == "other":
        changes = {"window": window(7)}
    forged = forged_decision(0, evidence | changes if changes else {}, request_id="forged")
    forger = Publisher(bench.broker.producer(), source="forger")
    honest_id = caused_id("decision", "retrain", PROJECT.model, window(0).start, window(0).end)
    forger.publish(DECISIONS, forged, key=PROJECT.model, id=honest_id)
    bench.step(0, 1)
    _, first, second = bench.events(DECISIONS)
    assert (first.window, first.accepted, second.window) == (window(0), True, window(1))
    assert bench.ids(RETRAIN_REQUESTS) == [first.request_id]


def test_a_forged_decision_on_a_window_that_is_yet_to_come_holds_nothing_back(monkeypatch):
    cooling = msgspec.structs.replace(PROJECT, policy=msgspec.structs.replace(PROJECT.policy, cooldown="30m"))
    monkeypatch.setattr("tests.unit.monitor.decider_bench.PROJECT", cooling)
    bench = Bench()
    evidence = {"window": window(10_000), "version": 1, "rows": 1, "labelled": 1, "drifted": False, "metric": "roc_auc"}
    forged = forged_decision(10_000, evidence)
    Publisher(bench.broker.producer(), source="forger").publish(DECISIONS, forged, key=PROJECT.model, id="forged")
    bench.step(0)
    _, decision = bench.events(DECISIONS)
    assert (decision.window, decision.accepted) == (window(0), True)


def test_it_tells_up_to_where_windows_have_their_decision(bench):
    windows = [complete(i) for i in range(3)]

    def up_to():
        return decided_up_to(windows, [held.window for held in bench.decider.undecided(windows)])

    assert up_to() == window(0).start
    bench.step(0, 1)
    assert up_to() == window(2).start
    bench.step(0, 1, 2)
    assert up_to() == window(2).end
    assert decided_up_to([], []) is None
