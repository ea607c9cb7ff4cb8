"""How attempts are spread: never more in a period than the budget, never none for long, some kept for what is urgent."""

import itertools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given, settings

from driftloop.contracts.values import Interval, Window
from driftloop.monitoring.budget import LEAST, Budget, budget_of, next_attempt, possible, standing
from driftloop.monitoring.evidence import Evidence
from driftloop.monitoring.policy import Decision, PolicyState, decide, standing_of
from driftloop.project.rules import Policy

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
YEAR = 365 * DAY


def decided(policy: Policy, length: timedelta, windows: int, drifts: Callable[[int], bool] = lambda n: False) -> list[Decision]:
    """A stream whose every window has enough labels, decided one window after the other."""
    state, decisions = PolicyState(), []
    for n in range(windows):
        window = Window(start=START + n * length, end=START + (n + 1) * length)
        known = Evidence(window=window, version=1, rows=1000, labelled=1000, drifted=drifts(n), metric="roc_auc")
        state, decision = decide(policy, state, known)
        decisions.append(decision)
    return decisions


def test_a_period_of_as_many_years_as_the_calendar_has_is_a_period_like_any_other() -> None:
    policy = Policy(budget_period="3640000d")
    assert budget_of(policy, DAY).attempts == 3_640_000
    assert attempts(decided(policy, DAY, 3)) == [START + n * DAY for n in (1, 2, 3)]


def attempts(decisions: list[Decision]) -> list[datetime]:
    return [d.evidence.window.end for d in decisions if d.accepted]


@pytest.mark.parametrize(
    ("length", "budget"),
    [
        (timedelta(weeks=4), Budget(50, YEAR, burst=50, kept=0)),
        (DAY, Budget(365, YEAR, burst=365, kept=0)),
        (HOUR, Budget(1000, YEAR, burst=100, kept=50)),
        (timedelta(minutes=1), Budget(1000, YEAR, burst=100, kept=50)),
    ],
)
def test_a_budget_that_nobody_stated_fits_the_windows_length(length: timedelta, budget: Budget) -> None:
    assert budget_of(Policy(), length) == budget


def test_a_budget_that_a_project_states_means_what_it_meant() -> None:
    for length in (timedelta(minutes=1), DAY):
        assert budget_of(Policy(budget=50), length) == Budget(50, YEAR, burst=50, kept=0)
    assert budget_of(Policy(budget=50, budget_burst=5, budget_kept=2), DAY) == Budget(50, YEAR, burst=5, kept=2)


@pytest.mark.parametrize("length", [timedelta(weeks=1), DAY], ids=["weeks", "days"])
def test_where_the_year_has_fewer_windows_than_attempts_every_window_is_one(length: timedelta) -> None:
    assert all(decision.accepted for decision in decided(Policy(), length, 2 * YEAR // length))


def test_hourly_windows_are_tried_all_year_and_never_wait_for_more_than_half_a_day() -> None:
    tried = attempts(decided(Policy(), HOUR, 13 * YEAR // (12 * HOUR)))
    waits = [b - a for a, b in itertools.pairwise(tried)]
    assert max(waits) <= 12 * HOUR
    assert tried[-1] > START + 13 * YEAR / 12 - 12 * HOUR


def test_one_minute_windows_have_no_year_without_an_attempt() -> None:
    tried = attempts(decided(Policy(), timedelta(minutes=1), 3 * DAY // timedelta(minutes=1)))
    assert len(tried) == 50 + 7  # what may be spent at once, then one for each interval of 9.7 hours
    assert tried[-1] > START + 2 * DAY


def test_what_is_kept_is_there_for_drift_after_the_windows_have_spent_theirs() -> None:
    policy = Policy(triggers=("drift", "window"), drift_k=1, drift_n=1)
    calm = decided(policy, HOUR, 60)
    spent = next(n for n, decision in enumerate(calm) if not decision.accepted)
    assert 50 <= spent < 60  # the bucket gains one in 9.7 hours
    decisions = decided(policy, HOUR, spent + 41, drifts=lambda n: n > spent)
    assert [(d.accepted, d.trigger) for d in decisions[spent:]] == [(False, "window")] + [(True, "drift")] * 40


def test_a_window_that_waits_says_until_when_and_what_is_kept() -> None:
    decisions = decided(Policy(), HOUR, 70)
    first = next(d for d in decisions if not d.accepted)
    again = next(d for d in decisions[decisions.index(first) :] if d.accepted)
    said = "the budget of 1000 runs in 365d is spread, 50 at once are kept for drift and performance; the next is possible at "
    assert first.reason.startswith(said)
    possible_at = datetime.fromisoformat(first.reason.removeprefix(said).split()[0])
    assert timedelta(0) <= again.evidence.window.end - possible_at < HOUR


def test_a_budget_that_is_spent_says_when_the_period_gives_one_back() -> None:
    decisions = decided(Policy(budget=2, budget_period="4d"), DAY, 3)
    back = (decisions[0].evidence.window.end + 4 * DAY).isoformat()
    assert decisions[2].reason == f"the budget of 2 runs in 4d is spent; the next is possible at {back} (the window closed)"


def test_a_cooldown_says_when_it_ends() -> None:
    decisions = decided(Policy(cooldown="2d"), DAY, 2)
    until = (decisions[0].evidence.window.end + 2 * DAY).isoformat()
    assert decisions[1].reason.endswith(f"until {until} (the window closed)")


def test_what_is_left_is_told_as_of_the_last_window() -> None:
    policy, state = Policy(budget=10, budget_burst=4, budget_kept=1, budget_period="60d"), PolicyState()
    for n in range(3):
        window = Window(start=START + n * HOUR, end=START + (n + 1) * HOUR)
        known = Evidence(
            window=window, version=1, rows=9, labelled=900, drifted=False, metric="f1", measured=Interval(value=1, lower=1, upper=1)
        )
        state, _ = decide(policy, state, known)
    found = standing_of(policy, state, window)
    assert (found.at_once, found.left) == (1, 7)
    assert found.next_at == START + HOUR + 10 * DAY  # the first one's interval is over
    assert standing(found.budget, state.attempts, START + 100 * DAY) == (found.budget, 4, 10, START + 100 * DAY)


budgets = st.builds(
    lambda count, period, burst, kept: budget_of(
        Policy(budget=count, budget_period=f"{period}h", budget_burst=burst, budget_kept=kept), HOUR
    ),
    st.integers(1, 12),
    st.integers(1, 60),
    st.integers(1, 12),
    st.integers(0, 12),
)


@settings(deadline=None)
@given(budgets, st.lists(st.tuples(st.integers(1, 90), st.booleans()), max_size=60))
def test_no_period_ever_has_more_attempts_than_the_budget_and_the_next_is_possible_exactly_when_it_is_said(
    budget: Budget, asked: list[tuple[int, bool]]
) -> None:
    now, made = START, []
    for minutes, urgent in asked:
        now += timedelta(minutes=minutes)
        due = next_attempt(budget, made, now, kept=urgent)
        assert possible(budget, made, due, kept=urgent)
        assert (due == now) == possible(budget, made, now, kept=urgent)
        assert due == now or not possible(budget, made, due - timedelta(microseconds=1), kept=urgent)
        if due == now:
            made.append(now)
    for end in made:
        assert len([t for t in made if timedelta(0) <= end - t < budget.period]) <= budget.attempts


class Counting(Sequence[datetime]):
    """A list that counts what it hands out."""

    def __init__(self, items: list[datetime]) -> None:
        self.items, self.handed_out = items, 0

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, at: Any) -> Any:
        found = self.items[at]
        self.handed_out += len(found) if isinstance(at, slice) else 1
        return found


@pytest.mark.parametrize(
    "budget",
    [Budget(10, YEAR, burst=10, kept=0), Budget(1000, YEAR, burst=10, kept=0)],
    ids=["more attempts than the budget has now", "all at once where the budget is spread now"],
)
def test_when_the_next_is_possible_is_told_in_one_look_at_the_attempts_whatever_the_budget_was_before(budget: Budget) -> None:
    made = Counting([START + n * timedelta(minutes=1) for n in range(1000)])
    due = next_attempt(budget, made, START + DAY)
    assert due > START + 300 * DAY
    assert made.handed_out < 2 * len(made)


def test_a_bucket_of_a_period_of_no_length_is_full() -> None:
    budget = budget_of(Policy(budget=5, budget_burst=2, budget_period="0d"), DAY)
    assert standing(budget, [START], START) == (budget, 2, 5, START)
    assert standing(budget, [START + DAY], START).at_once == 2  # a clock that went back


def test_decisions_of_an_earlier_release_leave_the_same_state() -> None:
    old = msgspec.json.decode(b'{"attempts": ["2026-01-01T00:00:00Z"], "new_labels": 3}', type=PolicyState)
    assert standing(budget_of(Policy(budget=50), DAY), old.attempts, START).left == LEAST - 1


def test_a_period_of_no_length_is_no_limit_as_before() -> None:
    assert all(decision.accepted for decision in decided(Policy(budget=1, budget_period="0d"), DAY, 5))
    assert all(decision.accepted for decision in decided(Policy(budget_period="0d"), DAY, 60))
