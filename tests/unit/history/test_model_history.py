"""The one fold of a model's history: what stands, what is kept, and what comes back from a checkpoint."""

import itertools
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.history.facts import (
    MODEL,
    START,
    about,
    completed,
    decided,
    drift,
    failed,
    incident,
    judged,
    performance,
    reproduced,
    requested,
    started,
    tell,
    window,
)

from driftloop.contracts.events import Event
from driftloop.history import requests as fold
from driftloop.history.model_history import Keep, ModelHistory
from driftloop.monitoring.late_labels import WindowLabels
from driftloop.monitoring.policy import CARRIED, Evidence, decide, restore
from driftloop.project.rules import Policy

BOUNDED = Keep(decisions=4, answered=1, reports=3)


def history(*told: tuple[str, Event], model: str | None = None, keep: Keep = Keep()) -> ModelHistory:  # noqa: B008
    return tell(ModelHistory(model, keep), *told)


# requests and their runs: what the trainer asks


@pytest.mark.parametrize("keep", [Keep(), Keep(answered=0)])
def test_the_first_pins_of_a_request_stand(keep):
    known = history(("r1", requested()), ("s1", started("r1", snapshot="a")), ("s2", started("r1", snapshot="d")), keep=keep)
    assert known.started("r1").event.pins.snapshot == "a" * 64


@pytest.mark.parametrize("keep", [Keep(), Keep(answered=0)])
def test_a_run_answers_every_request_that_it_names(keep):
    told = (("r1", requested()), ("r2", requested()), ("s1", started("r1", "r2")))
    known = history(*told, keep=keep)
    assert known.started("r2").event.request_id == "r1"
    assert not known.answered("r2")
    known = history(*told, ("f1", failed("r1", "r2")), keep=keep)
    assert known.answered("r1")
    assert known.answered("r2")


@pytest.mark.parametrize("keep", [Keep(), Keep(answered=0)])
def test_only_requests_of_the_model_without_a_run_are_waiting_in_their_order(keep):
    told = (("r1", requested()), ("x", requested("other")), ("r3", requested()), ("r2", requested()), ("s1", started("r1")))
    known = history(*told, ("f9", failed("r9")), keep=keep)
    assert [request.about.id for request in known.waiting("m")] == ["r3", "r2"]
    assert [request.about.id for request in known.waiting("nobody")] == []


@pytest.mark.parametrize("keep", [Keep(), Keep(answered=0)])
def test_an_answer_that_comes_before_its_request_counts(keep):
    """They are on two topics, which come in no order between them."""
    known = history(("c1", completed("r1", "r2")), ("r1", requested()), ("r2", requested()), ("r3", requested()), keep=keep)
    assert (known.answered("r1"), known.answered("r2"), known.answered("r3")) == (True, True, False)
    assert [request.about.id for request in known.waiting(MODEL)] == ["r3"]
    assert known.in_flight(START) == ("r3",)


def test_a_request_under_an_id_that_was_answered_long_ago_is_not_waiting_again():
    known = history(("r1", requested()), ("c1", completed("r1")), ("r1", requested()), keep=Keep(answered=0))
    assert known.requested("r1")
    assert known.answered("r1")
    assert known.waiting(MODEL) == []


def test_of_a_request_that_was_answered_long_ago_nothing_is_kept_whatever_comes_late():
    known = history(("c1", completed("r1")), ("r1", requested()), ("s1", started("r1")), ("f1", failed("r1")), keep=Keep(answered=0))
    assert (known.request("r1"), known.started("r1"), known.ended("r1"), known.runs()) == (None, None, None, [])
    assert known.answered("r1")
    assert history(("c1", completed("r1")), ("s1", started("r1")), keep=Keep(answered=0)).runs() == []


def test_of_two_ends_the_first_stands_unless_the_second_is_the_requests_own():
    other, own, again = completed("r2", "r1"), completed("r1"), completed("r1", "r3")
    assert history(("c2", other), ("c1", own)).ended("r1").event == own
    assert history(("c1", own), ("c2", other), ("c3", again)).ended("r1").event == own


def test_the_latest_completed_run_of_each_model_is_known():
    known = history(("c1", completed("r1")), ("c2", completed("r2")), ("x", completed("r3", model="other")), ("f", failed("r4")))
    assert (known.last_completed(MODEL), known.last_completed("other"), known.last_completed("none")) == ("r2", "r3", None)


def test_a_completed_run_is_the_outcome_also_where_a_twin_of_it_failed():
    known = history(("f1", failed("r1")), ("c1", completed("r1", "r2")))
    assert known.ended("r1").event == completed("r1", "r2") == known.ended("r2").event
    assert known.ended("r3") is None


def test_runs_are_told_in_the_order_of_their_starts_with_what_came_of_them():
    known = history(("s2", started("r2", "r9")), ("s1", started("r1")), ("c2", completed("r2")), ("f1", failed("r1")))
    assert [(r.request_id, r.completed is not None, r.failed is not None) for r in known.runs()] == [
        ("r2", True, False),
        ("r1", False, True),
    ]


def test_requests_older_than_a_moment_are_not_in_flight_any_more():
    known = history(("r1", requested()), ("r2", requested()))  # a second apart
    assert known.in_flight(START) == ("r1", "r2")
    assert known.in_flight(START + timedelta(seconds=1)) == ("r2",)


# decisions: what the monitor and the demo ask


def test_the_first_decision_of_an_id_stands_and_another_models_is_not_ours():
    other = msgspec.structs.replace(decided(1), model="other")
    known = history(("d0", decided(0)), ("d0", decided(0, accepted=True)), ("d1", other), ("j", judged("r0")), model=MODEL)
    assert known.retrain_decisions() == [decided(0)]
    assert known.retrain_decision(window(0)).event == decided(0)
    assert known.retrain_decision(window(1)) is None
    assert known.promotion_decision("r0").event == judged("r0")
    assert [told.about.id for told in known.decisions()] == ["d0", "j"]


def test_decisions_are_in_the_order_of_their_windows():
    known = history(("d2", decided(2)), ("d0", decided(0)), ("d1", decided(1)))
    assert [d.window for d in known.retrain_decisions()] == [window(0), window(1), window(2)]


measures = st.one_of(st.none(), st.floats(0, 1))
facts = st.tuples(st.booleans(), st.booleans(), st.integers(0, 300), measures, st.integers(1, 2))


@settings(max_examples=200, deadline=None)
@given(st.lists(facts, min_size=1, max_size=40), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(0, 30))
def test_the_policy_decides_the_same_whether_old_decisions_are_kept_or_carried(windows, drift_n, drift_k, budget, cooldown):
    policy = Policy(
        triggers=("performance", "drift"), min_new_labels=100, drift_k=drift_k, drift_n=drift_n,
        cooldown=f"{cooldown}h", budget=budget, budget_period="12h",
    )  # fmt: skip
    told = [
        (f"d{n}", decided(n, accepted=accepted, drifted=drifted, labelled=labelled, measured=measured, version=version))
        for n, (accepted, drifted, labelled, measured, version) in enumerate(windows)
    ]
    whole, bounded = history(*told), history(*told, keep=BOUNDED)
    assert len(bounded.retrain_decisions()) <= 6
    next_window = Evidence(window=window(len(windows)), version=1, rows=20, labelled=50, drifted=True, metric="roc_auc")
    answers = [decide(policy, restore(policy, known.retrain_decisions(), known.carried(MODEL)), next_window) for known in (whole, bounded)]
    assert answers[0] == answers[1]


def test_a_decision_on_a_window_that_is_only_carried_changes_nothing():
    told = [(f"d{n}", decided(n, accepted=n == 1)) for n in range(7)]
    known = history(*told, keep=BOUNDED)
    before = known.carried(MODEL)
    assert (before.decided_up_to, before.attempts) == (window(2).end, (window(1).end,))
    tell(known, ("late", decided(2, accepted=True)))
    assert known.carried(MODEL) == before
    assert [d.window for d in known.retrain_decisions()] == [window(n) for n in range(3, 7)]


def test_what_was_measured_by_another_metric_is_not_carried():
    by_auc = [(f"d{n}", decided(n, measured=0.7)) for n in range(3)]
    by_loss = [(f"d{n}", decided(n, measured=0.2, metric="log_loss")) for n in range(3, 6)]
    carried = history(*by_auc, *by_loss, ("d6", decided(6)), keep=Keep(decisions=1)).carried(MODEL)
    assert (carried.metric, carried.measured) == ("log_loss", ((1, 0.2),) * 3)


def test_older_decisions_let_go_of_what_grows_with_partitions_and_nobody_asks_for_again():
    def told(n: int) -> tuple[str, Event]:
        event = decided(n)
        return f"d{n}", msgspec.structs.replace(event, evidence=event.evidence | {"closing_offsets": {str(p): n for p in range(500)}})

    known = history(*(told(n) for n in range(10)), keep=Keep(decisions=20, whole=3))
    again = ModelHistory(keep=Keep(decisions=20, whole=3))
    again.restore(known.stored())
    assert len(known.stored()) < len(history(*(told(n) for n in range(10)), keep=Keep(decisions=20)).stored()) / 2
    for one in (known, again):
        tell(one, told(10))
        whole = ["closing_offsets" in decision.evidence for decision in one.retrain_decisions()]
        assert whole == [False] * 8 + [True] * 3
        assert restore(Policy(), one.retrain_decisions()) == restore(Policy(), history(*(told(n) for n in range(11))).retrain_decisions())


def with_late(n: int, late: dict[int, int]) -> tuple[str, Event]:
    """A decision on window ``n`` that counted so many labels in each of these windows."""
    event = decided(n, labelled=10)
    found = [WindowLabels(window=window(at), rows=1000, labelled=labelled) for at, labelled in sorted(late.items())]
    return f"d{n}", msgspec.structs.replace(event, evidence=event.evidence | {"late": msgspec.to_builtins(found)})


@settings(max_examples=100, deadline=None)
@given(st.lists(st.dictionaries(st.integers(0, 30), st.integers(11, 500), max_size=6), min_size=1, max_size=30), st.integers(0, 30))
def test_labels_are_known_as_counted_also_where_older_decisions_have_let_go_of_them(lates, restart):
    told = [with_late(n, {at: labelled for at, labelled in late.items() if at < n}) for n, late in enumerate(lates)]
    everything, keep = history(*told, keep=Keep(decisions=10)), Keep(decisions=10, whole=2)
    known = history(*told[:restart], keep=keep)
    again = ModelHistory(keep=keep)
    again.restore(known.stored())
    tell(again, *told[restart:])
    assert again.counted_labels(MODEL) == everything.counted_labels(MODEL)


def test_labels_that_trickle_in_over_many_windows_do_not_multiply_what_is_kept():
    def size(windows_that_get_labels: int) -> int:
        told = [with_late(n, dict.fromkeys(range(max(0, n - windows_that_get_labels), n), 11 + n)) for n in range(300)]
        return len(history(*told, keep=Keep(decisions=300, whole=5)).stored())

    assert size(100) < 1.5 * size(0)


def test_no_more_is_carried_than_a_bound():
    known = history(*((f"d{n}", decided(n, accepted=True)) for n in range(CARRIED + 100)), keep=Keep(decisions=2))
    carried = known.carried(MODEL)
    assert (len(carried.attempts), len(carried.drifted)) == (CARRIED, CARRIED)


# reports


def test_the_highest_revision_of_a_report_stands_whatever_came_last():
    known = history(("p1", performance(0, revision=1)), ("p0", performance(0, revision=0)), ("v", performance(0, version=3)))
    assert known.performance_report(MODEL, window(0), None).revision == 1
    assert known.performance_report(MODEL, window(0), 3).revision == 0
    assert known.performance_report(MODEL, window(1), None) is None
    assert [told.event.version for told in known.performance_reports()] == [None, 3]


def test_the_reports_that_were_touched_last_are_kept():
    known = history(
        *((f"p{n}", performance(n)) for n in range(3)), ("again", performance(0, revision=1)), ("p3", performance(3)), keep=BOUNDED
    )
    assert [told.event.window for told in known.performance_reports()] == [window(0), window(2), window(3)]


def test_of_a_windows_drift_reports_the_version_with_most_rows_is_meant():
    known = history(("a", drift(0, version=1, rows=5)), ("b", drift(0, version=2, rows=9)), ("c", drift(0, version=None, rows=50)))
    assert known.drift_report(window(0)).version == 2
    assert known.drift_report(window(1)) is None
    assert len(known.drift_reports()) == 3


def test_what_audits_have_found_is_told_in_order_of_time_each_once():
    known = history(("b", reproduced(2)), ("a", reproduced(1)), ("b", reproduced(2)))
    assert [told.event.version for told in known.reproductions()] == [2, 1]


# what is stored


def everything() -> list[tuple[str, Event]]:
    told: list[tuple[str, Event]] = []
    for n in range(12):
        told += [(f"d{n}", decided(n, accepted=n % 3 == 0)), (f"p{n}", performance(n)), (f"v{n}", drift(n)), (f"r{n}", requested())]
    told += [("s0", started("r0", "r1")), ("c0", completed("r0", "r1")), ("s3", started("r3")), ("f3", failed("r3", "r4"))]
    return [
        *told,
        ("s5", started("r5", "r6")),
        ("j", judged("r0")),
        ("a", reproduced(1)),
        ("i1", incident("one")),
        ("i2", incident("two")),
        ("i3", incident("one", "closed")),
        ("c20", completed("r20")),
    ]


def answers(known: ModelHistory) -> list[object]:
    ids = [f"r{n}" for n in range(25)]
    return [
        *(
            [known.requested(i), known.answered(i), known.request(i), known.started(i), known.ended(i), known.promotion_decision(i)]
            for i in ids
        ),
        known.waiting(MODEL),
        known.in_flight(START),
        known.last_completed(MODEL),
        known.runs(),
        known.retrain_decisions(),
        known.decisions(),
        known.carried(MODEL),
        known.counted_labels(MODEL),
        known.performance_reports(),
        known.drift_reports(),
        known.reproductions(),
        known.incidents(),
    ]


@pytest.mark.parametrize("keep", [Keep(), BOUNDED, Keep(answered=0, decisions=2, reports=0)])
def test_a_history_from_a_checkpoint_answers_and_goes_on_as_the_one_that_was_stored(keep):
    told = everything()
    for cut in (0, 1, 20, len(told) - 3, len(told)):
        before = history(*told[:cut], model=MODEL, keep=keep)
        after = ModelHistory(MODEL, keep)
        tell(after, ("gone", requested()))  # what was there before is replaced
        after.restore(before.stored())
        assert answers(after) == answers(before)
        for known, (seconds, (event_id, event)) in itertools.product((before, after), enumerate(told[cut:])):
            known.add(event, about(event, event_id, seconds))
        assert answers(after) == answers(before)


@pytest.mark.parametrize(("model", "keep"), [("other", Keep()), (None, Keep()), (MODEL, Keep(answered=0))])
def test_another_models_checkpoint_is_refused(model, keep):
    stored = history(("r", requested()), model=MODEL).stored()
    with pytest.raises(ValueError, match="it is the history of m with"):
        ModelHistory(model, keep).restore(stored)


def test_rubbish_is_no_history():
    with pytest.raises(ValueError, match=r"."):
        ModelHistory().restore(b"rubbish")


def test_a_bounded_history_does_not_grow_with_its_log():
    def size(windows: int) -> int:
        known = ModelHistory(keep=BOUNDED)
        for n in range(windows):
            told = ("d", decided(n, accepted=True)), ("r", requested()), ("s", started(f"r{n}")), ("c", completed(f"r{n}"))
            tell(known, *((f"{kind}{n}", event) for kind, event in (*told, ("p", performance(n)))))
        return len(known.stored())

    ids = 2 * 16  # for each request: that it was made, and answered
    assert size(2 * CARRIED) - size(CARRIED + 100) <= (CARRIED - 100) * ids + 2000


def test_requests_and_runs_that_are_made_up_and_never_end_make_it_no_larger_than_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold, "PENDING_KEPT", 20)
    monkeypatch.setattr(fold, "MODELS_KEPT", 20)

    def flooded(events: int) -> ModelHistory:
        known = ModelHistory(keep=Keep(answered=0))
        for n in range(events):
            told = (f"r{n}", requested()), (f"s{n}", started(f"x{n}")), (f"c{n}", completed(f"y{n}", model=f"made-up-{n}"))
            tell(known, *told)
        return known

    assert len(flooded(400).stored()) - len(flooded(200).stored()) <= 200 * 2 * 16 + 2000  # ids: requested, answered
    known = tell(flooded(50), ("honest", requested()))
    assert [told.about.id for told in known.waiting(MODEL)] == [*(f"r{n}" for n in range(31, 50)), "honest"]
    assert known.last_completed("made-up-49") == "y49"
    assert known.requested("r0")
    assert not known.answered("r0")
