"""Every closed window gets one decision, and its state can be rebuilt from the decisions alone."""

from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given, settings

from driftloop.contracts.events import DecisionMade
from driftloop.contracts.values import Interval, LossAlarm, Window, WindowAnswer, rule_digest
from driftloop.monitoring.evidence import Evidence
from driftloop.monitoring.policy import Decision, PolicyState, carried, decide, restore
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


def loss(raised: bool, e: float = 33.0) -> WindowAnswer:
    alarm = LossAlarm(loss="squared", reference=0.2, bound=0.21, reference_from="training", e=e, alpha=0.05, windows=9, raised=raised)
    return WindowAnswer(answer="silent-decay" if raised else "calm", reason="why", harm_known=True, alarm=alarm)


def test_performance_triggers_by_the_loss_alarm_whatever_the_metric_does():
    policy = msgspec.structs.replace(EVERY_WINDOW, triggers=("performance",))
    worse = [Interval(value=v, lower=v, upper=v) for v in (0.9, 0.5, 0.9)]
    answers_of = [loss(False, 0.4), loss(False, 12.0), loss(True)]
    decisions = run(policy, *(seen(day, measured=m, answer=a) for day, (m, a) in enumerate(zip(worse, answers_of, strict=True))))
    assert [d.accepted for d in decisions] == [False, False, True]
    assert decisions[1].reason == "no sign that the loss has risen (evidence 12, 20 are needed; it was 0.2000 at training)"
    assert (decisions[2].trigger, decisions[2].reason[:18]) == ("performance", "the loss has risen")


def test_where_the_loss_is_not_known_the_metric_is_compared_as_before():
    policy = msgspec.structs.replace(EVERY_WINDOW, triggers=("performance",))
    unknown = WindowAnswer(answer="calm", reason="why", harm_known=False)
    at = [Interval(value=v, lower=v, upper=v) for v in (0.9, 0.5)]
    assert answers(policy, *(seen(day, measured=m, answer=unknown) for day, m in enumerate(at))) == [False, True]


def test_a_schedule_by_event_time_asks_once_for_all_moments_since_the_last_attempt():
    policy = msgspec.structs.replace(EVERY_WINDOW, triggers=("schedule",), schedule="3d")
    assert answers(policy, *(seen(day) for day in range(9))) == [False, False, True] * 3
    rare = [seen(day) for day in (0, 9, 10)]
    decisions = run(policy, *rare)
    assert [d.accepted for d in decisions] == [False, True, False]
    assert (decisions[1].trigger, decisions[1].reason) == (
        "schedule",
        "schedule '3d' by event time: 2026-01-10T00:00:00+00:00 has come",
    )
    assert decisions[2].reason == "schedule '3d' by event time: no moment has come since 2026-01-11T00:00:00+00:00"


def test_a_moment_of_a_schedule_that_was_held_back_is_answered_by_the_next_window():
    policy = msgspec.structs.replace(EVERY_WINDOW, triggers=("schedule",), schedule="0 12 1 jan *")
    held = seen(0, runs_in_flight=("r",))
    assert answers(policy, held, seen(1), seen(2)) == [False, True, False]


def test_a_schedule_by_wall_time_goes_by_when_windows_are_decided():
    policy = msgspec.structs.replace(EVERY_WINDOW, triggers=("schedule",), schedule="0 3 * * *", schedule_time="wall")
    wall = datetime(2026, 7, 1, tzinfo=UTC)
    times = [wall + timedelta(hours=h) for h in (1, 2, 4, 5, 28)]
    decisions = run(policy, *(seen(day, decided_at=t) for day, t in enumerate(times)))
    assert [d.accepted for d in decisions] == [False, False, True, False, True]
    [unknown] = run(policy, seen())
    assert unknown.reason == "schedule '0 3 * * *' by wall time: when this was decided is not on record"


def test_new_labelled_rows_trigger_by_their_number():
    policy = msgspec.structs.replace(EVERY_WINDOW, triggers=("labels",), new_labels=1200)
    decisions = run(policy, *(seen(day, labels_landed_since=10) for day in range(4)))
    assert [d.accepted for d in decisions] == [False, False, True, False]
    assert decisions[1].reason == "1020 new labelled rows since the last attempt, the policy asks for every 1200"
    assert decisions[2].trigger == "new-data"


def test_the_most_telling_trigger_is_named():
    policy = msgspec.structs.replace(EVERY_WINDOW, triggers=("window", "drift", "performance"), drift_k=1)
    triggers = [d.trigger for d in run(policy, seen(0), seen(1, drifted=True), seen(9, drifted=True, answer=loss(True)))]
    assert triggers == ["window", "drift", "performance"]


def test_a_dry_run_decides_as_the_policy_would_and_asks_for_nothing():
    policy = msgspec.structs.replace(EVERY_WINDOW, cooldown="2d")
    dry = msgspec.structs.replace(policy, dry_run=True)
    windows = [seen(day, labelled=99 if day == 0 else 500) for day in range(6)]
    wet, told = run(policy, *windows), run(dry, *windows)
    assert [d.dry_run for d in told] == [d.accepted for d in wet]
    assert not any(d.accepted for d in told)
    assert told[1].reason == "dry run, nothing is asked for: the window closed"
    assert told[0].reason == wet[0].reason


def published(decisions: list[Decision]) -> list[DecisionMade]:
    """As the decider writes them."""
    return [
        DecisionMade(
            model="m",
            kind="retrain",
            accepted=d.accepted,
            reason=d.reason,
            window=d.evidence.window,
            rule=d.rule,
            evidence=msgspec.json.decode(msgspec.json.encode(d.evidence))
            | {"trigger": d.trigger}
            | ({"dry_run": True} if d.dry_run else {}),
        )
        for d in decisions
    ]


def test_what_a_dry_run_asked_for_counts_for_dry_runs_alone():
    dry = msgspec.structs.replace(EVERY_WINDOW, dry_run=True)
    decisions = published(run(dry, seen(0), seen(1)))
    assert len(restore(dry, decisions).attempts) == 2
    assert restore(EVERY_WINDOW, decisions).attempts == ()
    assert restore(EVERY_WINDOW, decisions).new_labels == 1000


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
            "answer": st.none() | st.booleans().map(loss),
            "decided_at": st.none() | st.integers(0, 100).map(lambda hours: START + hours * timedelta(hours=7)),
        }
    ),
    max_size=12,
)


POLICIES = (
    Policy(triggers=("drift", "performance"), min_new_labels=50, cooldown="2d", budget=3, budget_period="5d"),
    Policy(triggers=("schedule", "labels"), min_new_labels=50, schedule="0 6 */2 * *", new_labels=700),
    Policy(triggers=("schedule",), min_new_labels=1, schedule="1d", schedule_time="wall", dry_run=True),
)


@settings(deadline=None)
@given(windows, st.integers(0, 12), st.sampled_from(POLICIES))
def test_a_state_restored_from_published_decisions_decides_the_same(changes, split, policy):
    evidence = [seen(day, **change) for day, change in enumerate(changes)]
    straight = run(policy, *evidence)
    state = restore(policy, published(straight[:split]))
    for known, expected in zip(evidence[split:], straight[split:], strict=True):
        state, decision = decide(policy, state, known)
        assert decision == expected


@settings(deadline=None)
@given(windows, st.integers(0, 12), st.sampled_from(POLICIES[:2]))
def test_what_is_carried_of_decisions_that_are_not_kept_decides_the_same(changes, split, policy):
    evidence = [seen(day, **change) for day, change in enumerate(changes)]
    decisions = published(run(policy, *evidence))
    older, kept = decisions[:split], decisions[split:]
    later = seen(40, decided_at=START + 60 * DAY)
    whole, again = (
        decide(policy, state, later)[1] for state in (restore(policy, decisions), restore(policy, kept, carried(PolicyState(), older)))
    )
    assert whole == again


def test_labels_that_land_after_their_window_was_decided_count_for_the_decision_that_finds_them():
    late = [seen(0, labelled=0), seen(1, labelled=10, labels_landed_since=60), seen(2, labelled=10, labels_landed_since=20)]
    none, some, enough = run(EVERY_WINDOW, *late)
    assert [d.accepted for d in (none, some, enough)] == [False, False, True]
    assert some.reason.startswith("70 new labels since the last attempt, 100 are needed")
