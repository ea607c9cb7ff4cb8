"""Every closed window gets one decision, and its state can be rebuilt from the decisions alone."""

from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given, settings

from driftloop.contracts.events import DecisionMade
from driftloop.contracts.values import Interval, Window, rule_digest
from driftloop.monitoring.evidence import Evidence
from driftloop.monitoring.policy import Decision, PolicyState, decide, restore
from driftloop.project.rules import Policy

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
EVERY_WINDOW = Policy(min_new_labels=100)


def seen(day: int = 0, **changes) -> Evidence:
    window = Window(start=START + day * DAY, end=START + (day + 1) * DAY)
    known = {"window": window, "version": 1, "rows": 1000, "labelled": 500, "drifted": False, "metric": "roc_auc"}
    return Evidence(**known | changes)


def run(policy: Policy, *evidence: Evidence) -> list[Decision]:
    state, decisions = PolicyState(), []
    for known in evidence:
        state, decision = decide(policy, state, known)
        decisions.append(decision)
    return decisions


def answers(policy: Policy, *evidence: Evidence) -> list[bool]:
    return [decision.accepted for decision in run(policy, *evidence)]


def test_a_closed_window_with_enough_labels_is_an_attempt():
    [decision] = run(EVERY_WINDOW, seen())
    assert (decision.accepted, decision.trigger, decision.reason) == (True, "window", "the window closed")
    assert decision.rule == rule_digest(EVERY_WINDOW)


def test_a_window_that_no_model_scored_is_no_attempt():
    [decision] = run(EVERY_WINDOW, seen(version=None))
    assert not decision.accepted
    assert "no champion" in decision.reason


@pytest.mark.parametrize(("labelled", "accepted"), [(99, False), (100, True)])
def test_new_labels_have_a_minimum(labelled, accepted):
    [decision] = run(EVERY_WINDOW, seen(labelled=labelled))
    assert decision.accepted is accepted
    if not accepted:
        assert decision.reason == "99 new labels since the last attempt, 100 are needed (the window closed)"


def test_labels_add_up_over_windows_until_an_attempt():
    assert answers(EVERY_WINDOW, *(seen(day, labelled=40) for day in range(6))) == [False, False, True, False, False, True]


def test_a_run_in_flight_holds_the_next():
    [decision] = run(EVERY_WINDOW, seen(runs_in_flight=("r1",)))
    assert decision.reason == "run r1 is in flight (the window closed)"


def test_the_cooldown_is_event_time_and_ends_exactly():
    policy = msgspec.structs.replace(EVERY_WINDOW, cooldown="2d")
    assert answers(policy, *(seen(day) for day in range(5))) == [True, False, True, False, True]


def test_the_budget_is_spent_and_comes_back_with_the_period():
    policy = msgspec.structs.replace(EVERY_WINDOW, budget=2, budget_period="4d")
    assert answers(policy, *(seen(day) for day in range(7))) == [True, True, False, False, True, True, False]


def test_drift_needs_k_of_n_windows():
    policy = msgspec.structs.replace(EVERY_WINDOW, triggers=("drift",), drift_k=2, drift_n=3)
    drifted = [True, False, True, False, False, True, True]
    assert answers(policy, *(seen(day, drifted=d) for day, d in enumerate(drifted))) == [False, False, True, False, False, False, True]


def test_performance_triggers_when_even_its_upper_bound_is_below_the_earlier_mean_of_the_same_version():
    policy = msgspec.structs.replace(EVERY_WINDOW, triggers=("performance",))

    def at(value: float) -> Interval:
        return Interval(value=value, lower=value - 0.02, upper=value + 0.02)

    values = [(0, 1, 0.7), (1, 1, 0.69), (2, 1, 0.66), (3, 2, 0.6)]
    decisions = run(policy, *(seen(day, version=v, measured=at(m)) for day, v, m in values))
    assert [d.accepted for d in decisions] == [False, False, True, False]
    assert decisions[2].reason == "roc_auc is at most 0.6800, its mean over the 2 windows before was 0.6950"


def test_an_error_triggers_when_even_its_lower_bound_is_above_the_earlier_mean():
    policy = msgspec.structs.replace(EVERY_WINDOW, triggers=("performance",))
    values = [2.0, 2.05, 1.0, 2.4]  # getting better is no reason
    intervals = [Interval(value=v, lower=v - 0.1, upper=v + 0.1) for v in values]
    decisions = run(policy, *(seen(day, metric="mae", measured=at) for day, at in enumerate(intervals)))
    assert [d.accepted for d in decisions] == [False, False, False, True]
    assert decisions[2].reason == "mae may still be at its earlier mean 2.0250 (lower bound 0.9000)"
    assert decisions[3].reason == "mae is at least 2.3000, its mean over the 3 windows before was 1.6833"


def test_a_projects_new_metric_is_not_compared_with_the_values_of_the_old_one():
    policy = msgspec.structs.replace(EVERY_WINDOW, triggers=("performance",))
    at = {day: Interval(value=v, lower=v, upper=v) for day, v in enumerate((0.9, 0.9, 0.3, 0.31, 0.9))}
    metrics = ["accuracy", "accuracy", "log_loss", "log_loss", "accuracy"]
    decisions = run(policy, *(seen(day, metric=metric, measured=at[day]) for day, metric in enumerate(metrics)))
    assert [d.accepted for d in decisions] == [False, False, False, True, False]
    assert decisions[2].reason == "log_loss has nothing to be compared with yet"
    assert decisions[4].reason == "accuracy has nothing to be compared with yet"


def test_a_calm_window_says_what_would_have_been_needed():
    policy = msgspec.structs.replace(EVERY_WINDOW, triggers=("drift",))
    [decision] = run(policy, seen())
    assert decision.reason == "0 of the last 1 windows drifted, 2 of 3 are needed"


windows = st.lists(
    st.fixed_dictionaries(
        {
            "labelled": st.integers(0, 300),
            "labels_landed_since": st.integers(0, 300),
            "drifted": st.booleans(),
            "version": st.sampled_from([None, 1, 2]),
            "runs_in_flight": st.sampled_from([(), ("r",)]),
            "measured": st.none() | st.floats(0, 1).map(lambda v: Interval(value=v, lower=v, upper=v)),
        }
    ),
    max_size=12,
)


@settings(deadline=None)
@given(windows, st.integers(0, 12))
def test_a_state_restored_from_published_decisions_decides_the_same(changes, split):
    policy = Policy(triggers=("drift", "performance"), min_new_labels=50, cooldown="2d", budget=3, budget_period="5d")
    evidence = [seen(day, **change) for day, change in enumerate(changes)]
    straight = run(policy, *evidence)
    published = [
        DecisionMade(
            model="m",
            kind="retrain",
            accepted=d.accepted,
            reason=d.reason,
            window=d.evidence.window,
            rule=d.rule,
            evidence=msgspec.json.decode(msgspec.json.encode(d.evidence)) | {"trigger": d.trigger},
        )
        for d in straight[:split]
    ]
    state = restore(policy, published)
    for known, expected in zip(evidence[split:], straight[split:], strict=True):
        state, decision = decide(policy, state, known)
        assert decision == expected


def test_labels_that_land_after_their_window_was_decided_count_for_the_decision_that_finds_them():
    late = [seen(0, labelled=0), seen(1, labelled=10, labels_landed_since=60), seen(2, labelled=10, labels_landed_since=20)]
    none, some, enough = run(EVERY_WINDOW, *late)
    assert [d.accepted for d in (none, some, enough)] == [False, False, True]
    assert some.reason.startswith("70 new labels since the last attempt, 100 are needed")
