"""*What if*: the services' own policy and incidents over the record, at other thresholds."""

from typing import Any

import msgspec
import numpy as np
import pytest
from bench.console_events import DRIFT_FOR, about, decision, drift, loop, window
from tests.unit.console.desk import Browser, console, record_of
from tests.unit.registry.commands import MODEL, register_project

from driftloop.contracts.events import DecisionMade
from driftloop.errors import TransientError
from driftloop.monitoring.replay import replay
from driftloop.project.rules import Policy
from driftloop_console.asking import Question, Rules
from driftloop_console.pages import what_if
from driftloop_console.retrain_record import RetrainRecord, decisions

WINDOWS = 300
EVENTS = list(loop(WINDOWS, 4, 2, model=MODEL))
POLICY = Policy(triggers=("drift",), drift_k=1, drift_n=1, cooldown="0s", budget=10_000)


def asked(question: Question) -> dict[str, Any]:
    assert isinstance(question, Rules)
    found: dict[str, Any] = msgspec.to_builtins(POLICY)
    return found


@pytest.fixture(scope="module")
def shop() -> Browser:
    return console(record_of(EVENTS), register_project(), ask=asked)


def of(client: Browser, **told: Any) -> Any:
    answer = client.get("/what-if.json", params={"model": MODEL, **told})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_at_the_threshold_as_it_was_nothing_is_otherwise(shop: Browser) -> None:
    found = of(shop)
    assert found["windows"] == {"of": WINDOWS, "were": 15, "would_be": 15, "differ": 0, "by_constants": 0}
    assert found["incidents"] == {"were": 3, "would_be": 3, "differ": 0}
    assert (found["requests"]["were"], found["requests"]["differ"]) == (15, 0)
    assert found["differing"] == []


def test_a_threshold_above_every_distance_takes_windows_requests_and_incidents_away(shop: Browser) -> None:
    found = of(shop, threshold=300)  # of 0.1, where the windows that drift are at 0.25
    assert (found["windows"]["would_be"], found["windows"]["differ"]) == (0, 15)
    assert found["incidents"] == {"were": 3, "would_be": 0, "differ": 3}
    assert found["requests"] == {"of": WINDOWS, "were": 15, "would_be": 0, "differ": 15}
    page = shop.get("/what-if", params={"model": MODEL, "threshold": 300}).text
    assert "At 300 % of the threshold 0 of 300 windows would have drifted instead of 15" in page
    assert "0 of the last 1 windows drifted, 1 of 1 are needed" in page


def test_a_lower_threshold_finds_more_and_a_range_is_of_its_windows(shop: Browser) -> None:
    assert of(shop, threshold=50)["windows"]["would_be"] > 15
    middle = {"from": window(100).start.isoformat()[:16], "to": window(200).start.isoformat()[:16]}
    found = of(shop, threshold=300, **middle)
    assert (found["windows"]["of"], found["windows"]["were"], found["requests"]["of"]) == (100, DRIFT_FOR, 100)
    assert found["incidents"] == {"were": 1, "would_be": 0, "differ": 1}


def test_the_requests_are_those_of_the_policy_that_the_command_replays(shop: Browser) -> None:
    made = [event for event, _ in EVENTS if isinstance(event, DecisionMade)]
    told = replay(MODEL, POLICY, made)
    found = of(shop)["requests"]
    assert (found["of"], found["were"], found["would_be"]) == (len(told.decisions), told.recorded_attempts, told.replayed_attempts)


def test_what_is_kept_of_decisions_gives_the_policy_what_the_whole_ones_give() -> None:
    made = [event for event, _ in EVENTS if isinstance(event, DecisionMade)]
    kept = RetrainRecord()
    for event in (*made, *made):
        kept.add(event)
    again = RetrainRecord()
    again.restore(kept.stored())
    assert len(again) == WINDOWS
    for policy in (POLICY, Policy(triggers=("performance", "drift"), cooldown="6h")):
        assert replay(MODEL, policy, decisions(MODEL, again.encoded(MODEL))).decisions == replay(MODEL, policy, made).decisions
    assert max(map(len, kept.encoded(MODEL))) < 300


def test_decisions_that_are_kept_are_bounded_and_those_of_the_oldest_windows_go() -> None:
    kept = RetrainRecord(kept=20, most=30)
    for n in range(60):
        for model in ("a-model", "another"):
            kept.add(decision(n, model))
    absurd = decision(59, "absurd")
    kept.add(msgspec.structs.replace(absurd, evidence=absurd.evidence | {"version": 10**40}))  # a number that no column holds
    kept.add(msgspec.structs.replace(decision(90, "a-model"), evidence={}))  # no policy could go on from it
    assert len(kept) <= 30
    assert decisions("a-model", kept.encoded("a-model"))[-1].window == window(59)


def test_without_the_store_windows_and_incidents_are_told_and_why_the_rest_is_not() -> None:
    def away(_: Question) -> dict[str, Any]:
        raise TransientError("the store at http://127.0.0.1:1 does not answer")

    for client, why in (
        (console(record_of(EVENTS), register_project(), ask=away), "the store at http://127.0.0.1:1 does not answer"),
        (console(record_of(EVENTS)), "`driftloop up --project DIR` registers one"),
    ):
        found = of(client, threshold=300)
        assert (found["windows"]["differ"], found["requests"]) == (15, None)
        assert why in found["why_not"]
        assert "not known" in client.get("/what-if", params={"model": MODEL}).text


def test_of_many_decisions_the_newest_are_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(what_if, "REPLAYED", 60)
    client = console(record_of(EVENTS), register_project(), ask=asked)
    assert of(client)["requests"] == {"of": 60, "were": 5, "would_be": 5, "differ": 0}
    early = of(client, to=window(100).start.isoformat()[:16])
    assert (early["windows"]["of"], early["requests"]["of"]) == (100, 60)


def test_a_policy_is_asked_for_once() -> None:
    questions = []

    def ask(question: Question) -> dict[str, Any]:
        questions.append(question)
        return asked(question)

    client = console(record_of(EVENTS), register_project(), ask=ask)
    for percent in (50, 100, 200):
        of(client, threshold=percent)
    assert len(questions) == 1


def test_windows_that_constants_judge_stay_as_they_were() -> None:
    by_constants = [
        msgspec.structs.replace(drift(n, 1, 2, np.random.default_rng(0), MODEL), threshold=None, alpha=None, thresholds={"psi": 0.2})
        for n in (50, 51, 60)
    ]
    client = console(record_of([(event, about(event, str(n), 50 + n)) for n, event in enumerate(by_constants)]))
    found = of(client, threshold=300)
    assert found["windows"] == {"of": 3, "were": 2, "would_be": 2, "differ": 0, "by_constants": 3}
    assert found["incidents"]["differ"] == 0
    assert "judged by constants" in found["sentences"][-1]


def test_the_journal_has_the_slider_and_no_model_none(shop: Browser) -> None:
    assert 'type="range"' in shop.get("/").text
    assert 'type="range"' not in console().get("/").text
    assert "driftloop up --project DIR" in console().get("/what-if").text
    assert "No window in this range of time" in shop.get("/what-if", params={"from": "1999-01-01", "to": "1999-02-01"}).text
