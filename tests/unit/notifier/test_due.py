"""What is due: once each, whatever the order of restarts; an end only after its beginning; no weeks of old messages."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.notifier.world import DAY, HOOK, MODEL, World, completed, failed, incident, minutes, phases

from driftloop.contracts.notify_rules import NotifyRule
from driftloop_notifier.conditions import Condition
from driftloop_notifier.rules import Addressee

OTHER = Addressee("other", "other", NotifyRule(to="https://hooks.example/other"))


def to(rule: NotifyRule) -> Addressee:
    return Addressee(MODEL, MODEL, rule)


def test_an_incident_is_told_when_it_opens_and_when_it_is_over_and_changes_are_not() -> None:
    world = World()
    world.follow()
    world.says(incident(), 1)
    opened = world.write(2)
    assert phases(opened) == ["incident opened"]
    world.says(incident(state="changed", severity=0.9, windows=2), 3)
    assert world.write(4) == []
    world.says(incident(state="closed", severity=0.9, windows=2), 5)
    closed = world.write(6)
    assert phases(closed) == ["incident closed"]
    assert closed[0].event.opening == opened[0].id
    assert world.write(7) == []


def test_an_incident_that_opened_and_closed_between_two_looks_is_told_in_that_order() -> None:
    world = World()
    world.follow()
    world.says(incident(), 1)
    world.says(incident(state="closed"), 2)
    assert phases(world.write(3)) == ["incident opened", "incident closed"]


def test_an_incident_that_late_rows_took_back_is_told_to_those_alone_who_heard_of_it() -> None:
    heard, not_heard = World(), World()
    for world in (heard, not_heard):
        world.follow()
        world.says(incident(), 1)
    heard.write(2)
    for world in (heard, not_heard):
        world.says(incident(state="closed", windows=0), 3)
    (closed,) = heard.write(4)
    assert "late rows have taken the incident back" in closed.event.text
    assert not_heard.write(4) == []


def test_failing_runs_of_a_model_are_one_thing_until_one_succeeds() -> None:
    world = World()
    world.follow()
    for n in range(3):
        world.says(failed(f"r{n}"), n)
    (opened,) = world.write(4)
    assert opened.event.text == "shop: a training run failed: no labels"
    world.says(failed("r4"), 5)
    assert world.write(6) == []
    world.says(completed(), 7)
    (closed,) = world.write(8)
    assert closed.event.text == "shop: a training run has succeeded again, after 4 failed runs"
    world.says(failed("r9"), 9)
    assert phases(world.write(10)) == ["run-failed opened"]


def test_a_rule_hears_of_its_own_project_and_of_the_events_that_it_names() -> None:
    world = World(to(NotifyRule(to="https://a.example", events=("run-failed",))), OTHER)
    world.follow()
    world.says(incident(), 1)
    world.says(failed("r"), 2)
    assert [(one.event.destination, one.event.kind) for one in world.write(3)] == [("https://a.example", "run-failed")]


def test_a_severity_that_a_rule_asks_for_is_the_beginning_for_that_rule() -> None:
    world = World(to(NotifyRule(to="https://a.example", severity=0.5)), to(NotifyRule(to="https://b.example", raised=True)))
    world.follow()
    world.says(incident(severity=0.2), 1)
    assert [one.event.destination for one in world.write(2)] == ["https://b.example"]
    world.says(incident(state="changed", severity=0.55), 3)
    assert sorted((one.event.destination, one.event.phase) for one in world.write(4)) == [
        ("https://a.example", "opened"),
        ("https://b.example", "raised"),
    ]
    world.says(incident(state="changed", severity=0.58), 5)
    assert world.write(6) == [], "not by another tenth"
    world.says(incident("small", severity=0.3), 7)
    world.says(incident("small", state="closed", severity=0.3), 8)
    assert {one.event.destination for one in world.write(9)} == {"https://b.example"}


def test_what_had_ended_before_a_rule_was_followed_is_not_told_and_what_goes_on_is() -> None:
    world = World()
    world.says(incident("old"), 1)
    world.says(incident("old", state="closed"), 2)
    world.says(incident("new"), 3)
    assert world.write(4) == [], "nobody follows the rule yet"
    world.follow(5)
    assert [one.event.evidence["incident"] for one in world.write(6)] == ["new"]


def test_a_rule_that_asks_for_more_does_not_repeat_and_does_not_tell_what_ended_before_it_asked() -> None:
    narrow, wide = (to(NotifyRule(to="https://a.example", events=events)) for events in (("incident",), ("incident", "run-failed")))
    world = World(narrow)
    world.follow()
    world.says(incident(), 1)
    world.says(failed("r"), 2)
    world.says(completed(), 3)
    assert phases(world.write(4)) == ["incident opened"]
    world.addressees = (wide,)
    world.follow(5)
    assert world.write(6) == []
    world.says(failed("r2"), 7)
    assert phases(world.write(8)) == ["run-failed opened"]


def test_after_weeks_away_one_summary_stands_for_what_has_ended_and_what_goes_on_is_told() -> None:
    world = World()
    world.follow()
    for n in range(30):
        world.says(incident(f"i{n}"), 10 * n)
        if n < 29:
            world.says(incident(f"i{n}", state="closed"), 10 * n + 5)
    weeks = 21 * 24 * 60
    told, summary = world.write(weeks)
    assert (told.event.phase, told.event.evidence["incident"]) == ("opened", "i29")
    assert (summary.event.phase, len(summary.event.covers)) == ("left-out", 58)
    assert summary.event.text.startswith(
        "29 things began and ended from 2026-05-01 00:00 to 2026-05-01 04:45 while nothing could be sent: 29 incident"
    )
    assert world.write(weeks + 1) == []
    assert phases(world.due(weeks + 1, max_age=timedelta(days=60))) == [], "what the summary stands for is told"


def test_the_end_of_what_was_told_is_told_however_late() -> None:
    world = World()
    world.follow()
    world.says(incident(), 1)
    world.write(2)
    world.says(incident(state="closed"), 3)
    assert phases(world.write(21 * 24 * 60)) == ["incident closed"]


def test_a_test_goes_to_each_rule_once_and_not_after_a_quarter_of_an_hour() -> None:
    world = World(HOOK, OTHER)
    world.follow()
    world.ask("test", 1)
    world.ask("test", 1, project="other")
    assert sorted(one.event.project for one in world.write(2)) == ["other", "other", MODEL]
    assert world.write(3) == []
    world.ask("test", 4)
    assert world.write(60) == []


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2J", "\u202eevil", "x" * 5000, "<script>", "\ud800"])
def test_names_and_reasons_of_strangers_are_text_on_one_line(name: str) -> None:
    world = World()
    world.follow()
    world.says(failed("r", reason=name), 1)
    world.says(msgspec.structs.replace(incident(), columns={name: 1.0}), 1)
    for one in world.write(2):
        assert len(one.event.text) <= 600
        assert one.event.text.isprintable()


def test_a_condition_that_is_observed_is_told_by_the_key_that_it_has() -> None:
    stall = Condition(
        kind="stall", key="ingest-0@1", about="ingest-0", model=None, project=None, since=minutes(1), evidence={"says": "does not answer"}
    )
    world = World(HOOK, OTHER)
    world.follow()
    assert sorted(one.event.project for one in world.write(2, stall)) == ["other", MODEL]
    assert world.write(3, stall) == []
    over = msgspec.structs.replace(stall, until=minutes(4))
    assert phases(world.write(4, over)) == ["stall closed", "stall closed"]
    assert world.write(5) == []


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("opened"), st.integers(0, 3), st.floats(0, 1)),
        st.tuples(st.just("changed"), st.integers(0, 3), st.floats(0, 1)),
        st.tuples(st.just("closed"), st.integers(0, 3), st.floats(0, 1)),
        st.tuples(st.just("failed"), st.integers(0, 3), st.just(0.0)),
        st.tuples(st.just("completed"), st.just(0), st.just(0.0)),
        st.tuples(st.just("round"), st.integers(0, 5), st.just(0.0)),
    ),
    max_size=40,
)


@given(STEPS, st.lists(st.integers(0, 4), max_size=10))
def test_kills_and_repeats_at_any_point_change_neither_ids_nor_that_each_is_due_once(
    steps: list[tuple[str, int, float]], kills: list[int]
) -> None:
    rules = (HOOK, to(NotifyRule(to="https://b.example", severity=0.5, raised=True)))

    def run(killed: list[int]) -> list[str]:
        world, left, told = World(*rules), list(killed), list[str]()
        world.follow()
        for at, (what, n, severity) in enumerate(steps, start=1):
            match what:
                case "failed":
                    world.says(failed(f"r{at}"), at)
                case "completed":
                    world.says(completed(), at)
                case "round":
                    if left:
                        told += [one.id for one in world.write(at, most=left.pop(0))]  # and the process dies there
                    told += [one.id for one in world.write(at)]
                case state:
                    world.says(incident(f"i{n}", state=state, severity=severity), at)
                    if n % 2:
                        world.record.append(world.record[-1])  # delivered twice
        return told + [one.id for one in world.write(len(steps) + 1)]

    clean, stormy = run([]), run(kills)
    assert len(set(clean)) == len(clean)
    assert stormy == clean or sorted(stormy) == sorted(clean)
    assert len(set(stormy)) == len(stormy)


def test_the_bound_of_age_is_what_it_says() -> None:
    world = World()
    world.follow()
    world.says(incident(), 0)
    world.says(incident(state="closed"), 1)
    day = DAY.total_seconds() / 60
    assert phases(world.due(day + 1)) == ["incident opened", "incident closed"]
    assert phases(world.due(day + 1.01)) == ["None left-out"]
