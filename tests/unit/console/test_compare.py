"""*Compare* two versions, a version's card, and a prediction explained: what is asked of the store, and what is shown without it."""

from typing import Any

import msgspec
import numpy as np
import pytest
from bench.console_events import about, performance
from tests.unit.console.desk import Browser, console, record_of
from tests.unit.history import facts as story
from tests.unit.registry.commands import MODEL, delete, measured, promote, register_project, register_version

from driftloop.contracts.guard_rails import ScoringCost, SegmentGain
from driftloop.errors import TransientError
from driftloop_console.asking import Differ, Explain, Made, Question, Trace

EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
RNG = np.random.default_rng(0)
VERSIONS = (register_project(), register_version("r1"), promote("r1", epoch=0), register_version("r2", command_id="v2"))


def two(ask: Any = None, *more: Any) -> Browser:
    gains = (SegmentGain(feature=EVIL, value=EVIL, rows=100, gain=-0.02, error=0.001),)
    cost = ScoringCost(rows=10, candidate_ms=1.0, champion_ms=2.0, candidate_bytes=5, champion_bytes=6)
    judged = msgspec.structs.replace(measured(against=1), churn=0.1, waited=0.3, segments=gains, cost=cost)
    second = msgspec.structs.replace(story.completed("r2", model=MODEL), recipe="last:2", rows=7, measurements=judged)
    told = [("c1", story.completed("r1", model=MODEL)), ("d1", story.judged("r1")), ("c2", second)]
    scored = [msgspec.structs.replace(performance(0, version, RNG, MODEL), measured=None) for version in (1, 2)]
    values = [msgspec.structs.replace(performance(n, version, RNG, MODEL)) for n, version in ((1, 1), (1, 2), (2, 2))]
    events = [(event, story.about(event, event_id)) for event_id, event in told]
    events += [(event, about(event, f"p{n}", n)) for n, event in enumerate([*scored, *values])]
    return console(record_of(events), *VERSIONS, *more, ask=ask)


def of(client: Browser, path: str, **asked: Any) -> Any:
    answer = client.get(f"{path}.json", params={"model": MODEL, **asked})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_two_versions_line_by_line_from_the_record_alone() -> None:
    found = of(two(), "/compare")
    assert (found["a"], found["b"]) == (1, 2)
    lines = {row["what"]: (row["a"], row["b"], row["same"]) for row in found["rows"]}
    assert lines["recipe"] == ("all", "last:2", False)
    assert lines["training rows"] == (1, 7, False)
    assert lines["windows that it scored"] == (2, 3, False)
    assert lines["windows: calm"] == (2, 3, False)
    assert lines["seed"] == (0, 0, True)
    assert lines["this version"][1] == 0.72
    assert found["together"]["windows"] == 1
    assert found["segments"] == [{"segment": f"{EVIL} {EVIL}", "a": None, "b": -0.02}]
    page = two().get("/compare", params={"model": MODEL, "a": "2", "b": "1"}).text
    assert "≠ differs" in page
    assert "<script>alert" not in page


def test_what_is_in_the_store_is_asked_for_by_digest_and_shown_as_text() -> None:
    questions: list[Question] = []

    def ask(question: Question) -> dict[str, Any]:
        questions.append(question)
        environment = [{"what": EVIL, "recorded": "1", "now": None}]
        importance = [{"input": EVIL, "a": 0.1, "b": None}]
        return {
            "sources": {"pipeline.py": EVIL, "driftloop.toml": ""},
            "environment": environment,
            "importance": importance,
            "missing": [EVIL],
        }

    page = two(ask).get("/compare", params={"model": MODEL, "store": "1"}).text
    [asked] = questions
    assert isinstance(asked, Differ)
    assert (asked.a.model, asked.a.project) == (MODEL, MODEL)
    assert asked.a.manifest != asked.b.manifest
    assert "The same." in page
    assert "<script>alert" not in page


def test_a_version_shows_its_card_and_both_sides_of_the_gate() -> None:
    def ask(question: Question) -> dict[str, Any]:
        assert isinstance(question, Made)
        return {"card": f"# {EVIL}", "files": {}, "environment": {EVIL: EVIL}, "importance": [[EVIL, 0.1]], "missing": [EVIL]}

    client = two(ask)
    page = client.get("/version", params={"model": MODEL, "version": "2", "card": "1"}).text
    assert "# &lt;script&gt;" in page
    assert "<script>alert" not in page
    for told in ("answers that change", "10 %", "waiting has cost", "1 ms for 10 rows, 2 the champion", "By segment"):
        assert told in page
    assert of(client, "/version", version=1)["compare_with"] == 2
    assert of(client, "/version", version=2)["compare_with"] == 1


@pytest.mark.parametrize("path", ["/compare?store=1", "/version?version=2&card=1", "/version?version=1&card=1"])
def test_without_the_store_the_rest_is_shown_and_why_not(path: str) -> None:
    def away(_: Question) -> dict[str, Any]:
        raise TransientError("the store at http://127.0.0.1:1 does not answer")

    answer = two(away).get(f"{path}&model={MODEL}")
    assert answer.status_code == 200
    assert "the store at http://127.0.0.1:1 does not answer" in answer.text
    assert "last:2" in answer.text or "version=1" in path


def test_a_deleted_version_is_said_to_be_one_and_its_record_stays() -> None:
    client = two(None, delete(2))
    assert {row["what"]: row["b"] for row in of(client, "/compare")["rows"]}["state"] == "deleted"
    assert "This version was deleted" in client.get("/version", params={"model": MODEL, "version": "2"}).text


def test_versions_that_are_not_there_are_not_found() -> None:
    assert two().get("/compare", params={"model": MODEL, "a": "7", "b": "1"}).status_code == 404
    one = console(None, *VERSIONS[:3])
    answer = one.get("/compare", params={"model": MODEL})
    assert (answer.status_code, f"driftloop retrain {MODEL}" in answer.text) == (404, True)


def explained(**more: Any) -> dict[str, Any]:
    contributions = [{"input": EVIL, "value": EVIL, "change": -0.2, "least": 0.5, "most": 0.9}]
    told = {"method": "occlusion by reference values", "score": 0.4, "of": None, "references": 32, "contributions": contributions}
    return told | {"unknown": [EVIL], "version": 1, "manifest": "a" * 64, "recorded": 0.4, "same": True, "corrected": False} | more


TRACED = {"event_id": "e", "ok": True, "model": MODEL, "version": 1, "stream": MODEL, "prediction": {"x": 1}, "links": []}


def traced(question: Question) -> dict[str, Any]:
    if isinstance(question, Explain):
        return {"trace": TRACED, "explanation": explained(), "why_not": None}
    assert isinstance(question, Trace)
    return TRACED


def test_a_prediction_is_explained_when_somebody_asks_and_the_method_is_named() -> None:
    asked: list[Question] = []

    def ask(question: Question) -> dict[str, Any]:
        asked.append(question)
        return traced(question)

    client = console(None, *VERSIONS, ask=ask)
    assert "Explain it" in client.get("/prediction", params={"event": "e"}).text
    assert [type(question) for question in asked] == [Trace]
    page = client.get("/prediction", params={"event": "e", "explain": "1"}).text
    assert "Occlusion by reference values" in page
    assert "as recorded" in page
    assert "<script>alert" not in page


def test_a_version_that_cannot_be_asked_leaves_the_trace() -> None:
    def ask(question: Question) -> dict[str, Any]:
        assert isinstance(question, Explain)
        return {"trace": TRACED, "explanation": None, "why_not": "version 1 of flights was deleted: its record stays"}

    page = console(None, *VERSIONS, ask=ask).get("/prediction", params={"event": "e", "explain": "1"})
    assert (page.status_code, "was deleted" in page.text, "every link holds" in page.text) == (200, True, True)


def test_an_explanation_that_takes_too_much_leaves_the_way_to_the_trace() -> None:
    def ask(question: Question) -> dict[str, Any]:
        raise TransientError("no answer within 50 s")

    page = console(None, *VERSIONS, ask=ask).get("/prediction", params={"event": "e", "explain": "1"}).text
    assert "no answer within 50 s" in page
    assert 'href="/prediction?event=e"' in page
