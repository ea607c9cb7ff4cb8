"""*Data* and *Quarantine* over a record put together by hand and answers of a process that is not there."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.unit.console.desk import Browser, console, record_of
from tests.unit.history import facts as story
from tests.unit.registry.commands import MODEL, promote, register_project, register_version

from driftloop.contracts.codec import Envelope, envelope
from driftloop.contracts.events import Event, LakeCommitted, MessagesRedriven
from driftloop.contracts.values import RedrivenMessage
from driftloop.errors import TransientError, UserError
from driftloop_console.asking import Question
from driftloop_console.data_answers import SHOWN_BYTES, shown
from driftloop_console.data_questions import DataDiff, Redriving, RejectedMessages, RejectedOne
from driftloop_console.record import ConsoleFold

START = datetime(2026, 1, 1, tzinfo=UTC)
STREAM = MODEL
EVIL = '<script>alert(1)</script><img src=x onerror=alert(2)>" onload="x'
FORM = {"model": MODEL, "ids": "0:1", "set": "label=true", "reason": "labels came as text", "actor": "Ada", "key": "k" * 16}


def committed(n: int, table: Any = "inferences") -> tuple[Event, Envelope]:
    at = START + timedelta(minutes=n)
    event = LakeCommitted(
        stream=STREAM, table=table, version=n, rows=10, ranges=(), event_time_min=at - timedelta(hours=1), event_time_max=at
    )
    return event, envelope(event, id=f"{table}-{n}", source="test", subject=STREAM, time=at)


def sent_again(by: str = "Ada") -> tuple[Event, Envelope]:
    message = RedrivenMessage(id="r", quarantined="0:1", topic=f"{STREAM}.labels", partition=0, offset=4, new_partition=0, new_offset=9)
    event = MessagesRedriven(stream=STREAM, run="run", by=by, why=by, change=by, messages=(message,))
    return event, envelope(event, id="again", source="test", subject=STREAM, time=START)


def told() -> ConsoleFold:
    events = [*(committed(n) for n in range(1, 61)), committed(1, "labels"), sent_again(EVIL)]
    started = story.started("r1", model=MODEL)
    return record_of([*events, (started, story.about(started, "s1"))])


def asking(ask: Callable[[Question], dict[str, Any]] | None = None) -> Browser:
    return console(told(), register_project(), register_version("r1"), promote("r1", epoch=0), ask=ask)


def ok(client: Browser, path: str, **asked: Any) -> str:
    answer = client.get(path, params={"model": MODEL} | asked)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_versions_are_listed_newest_first_in_pages_and_in_the_range_of_time() -> None:
    client = asking()
    found = client.get("/data.json", params={"model": MODEL}).json()
    assert (found["count"], found["more"], found["commits"][0]["ref"]) == (61, 25, f"{STREAM}/inferences@60")
    last = client.get("/data.json", params={"model": MODEL, "skip": 50}).json()
    assert (len(last["commits"]), last["more"]) == (11, None)
    inside = client.get("/data.json", params={"model": MODEL, "from": "2026-01-01T00:50"}).json()
    assert [one["version"] for one in inside["commits"]] == list(range(60, 49, -1))
    assert {one["table"]: one["version"] for one in found["tables"]} == {"inferences": 60, "labels": 1}


def test_a_snapshot_says_who_was_trained_on_it() -> None:
    (of,) = asking().get("/data.json", params={"model": MODEL}).json()["snapshots"]
    assert (of["runs"][0]["request_id"], of["runs"][0]["version"], of["champion"]) == ("r1", 1, True)
    assert of["digest"][:12] in ok(asking(), "/data")


def test_lines_to_copy_name_the_stream_and_the_snapshot() -> None:
    found = asking().get("/data.json", params={"model": MODEL}).json()
    code = "\n".join(one["code"] for one in found["snippets"])
    assert f"lake/{STREAM}/inferences" in code
    assert f'snapshot="{found["snapshots"][0]["digest"][:12]}"' in code


def test_what_was_folded_is_restored() -> None:
    fold, again = told(), ConsoleFold()
    again.restore(fold.stored())
    assert again.data.commits(STREAM) == fold.data.commits(STREAM)
    assert again.data.pins(MODEL) == fold.data.pins(MODEL)
    assert again.data.redrives(STREAM) == fold.data.redrives(STREAM)


def test_two_are_compared_by_the_process_that_reads_the_store() -> None:
    asked = []

    def diff(question: Question) -> dict[str, Any]:
        asked.append(question)
        return {
            "a": EVIL,
            "b": "b",
            "rows": {"a": 1, "b": 2, "added": 1, "removed": 0, "changed": 0},
            "labels": None,
            "schema": {
                "added": {EVIL: "number"},
                "removed": {},
                "retyped": {"x": ["number", "category"]},
                "required": {"y": [True, False]},
            },
            "split_changed": False,
            "features": {
                EVIL: {"psi": 0.2, "js": 0.1, "ks": None, "missing_before": 0.0, "missing": 0.5, "unseen": 0.0, "out_of_range": 0.0}
            },
            "reference": {"model": None, "version": None, "profile": None},
        }

    page = ok(asking(diff), "/data-diff", a="aa", b="bb")
    assert asked == [DataDiff(a="aa", b="bb")]
    assert EVIL not in page
    assert "x: number → category" in page
    assert asking(diff).get("/data-diff", params={"model": MODEL, "a": "aa", "b": "aa"}).status_code == 404
    assert "<form" in ok(asking(), "/data-diff")


def rejected(value: Any = EVIL) -> dict[str, Any]:
    return {
        "id": "0:1",
        "topic": f"{STREAM}.labels",
        "partition": 0,
        "offset": 4,
        "bytes": 7,
        "reason": EVIL,
        "rejected_at": "2026-01-01T00:00:00Z",
        "redriven": [],
        "value": shown(value.encode() if isinstance(value, str) else value),
        "key": shown(None),
        "headers": [{"name": EVIL, "value": shown(b"\xff\x00")}],
    }


def plan(**more: Any) -> dict[str, Any]:
    one = rejected() | {
        "verdict": "send",
        "why": None,
        "before": shown(EVIL.encode()),
        "after": shown(b"{}"),
        "changed": True,
        "sent": None,
    }
    counts = {"run": None, "change": "as it was", "chosen": 1, "sent": 1, "refused": 0, "before": 0, "left_out": 0, "recovered": 0}
    return counts | {"messages": [one], "unshown": 0} | more


def answers(question: Question) -> dict[str, Any]:
    match question:
        case RejectedMessages():
            reasons = [
                {
                    "reason": EVIL,
                    "topics": [f"{STREAM}.labels"],
                    "messages": 1,
                    "sent_again": 0,
                    "first": "2026-01-01T00:00:00Z",
                    "last": "2026-01-01T00:00:00Z",
                }
            ]
            listed = {"count": 1, "all": 1, "waiting": 1, "reasons": reasons, "more_reasons": 0, "messages": [rejected()]}
            return listed | {"skipped": 0, "more": None}
        case RejectedOne():
            return rejected()
        case Redriving():
            return plan()
        case _:
            raise AssertionError(question)


@pytest.mark.parametrize(
    ("path", "asked"), [("/data", {}), ("/quarantine", {}), ("/rejected", {"id": "0:1"}), ("/redrive", {"ids": "0:1"})]
)
def test_what_a_stranger_sent_is_text_on_every_page(path: str, asked: dict[str, str]) -> None:
    page = ok(asking(answers), path, **asked)
    assert EVIL not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "onerror=alert(2)>" not in page
    links = re.findall(r'(?:href|src|action)="([^"]*)"', page)
    assert links
    assert all(re.match(r"/|#", link) for link in links), links


def test_chosen_messages_become_one_question() -> None:
    asked = []

    def ask(question: Question) -> dict[str, Any]:
        asked.append(question)
        return plan()

    ok(asking(ask), "/redrive", **{"id.0:1": "on", "id.2:7": "on", "set": "label=true\n\namount=1\n"})
    assert asked == [Redriving(stream=STREAM, ids=("0:1", "2:7"), fields=("label=true", "amount=1"))]


def test_a_form_is_one_order_and_leads_back_with_what_became_of_it() -> None:
    asked = []

    def ask(question: Question) -> dict[str, Any]:
        asked.append(question)
        return plan(run="r", sent=2, refused=1)

    answer = asking(ask).post("/redrive/send", data=FORM)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/quarantine?model={MODEL}&told=done&sent=2&refused=1&before=0")
    assert asked == [Redriving(stream=STREAM, ids=("0:1",), fields=("label=true",), send=True, why="labels came as text", by="Ada")]
    assert "2 messages were sent again; 1 would have been rejected again" in ok(
        asking(answers), "/quarantine", told="done", sent=2, refused=1
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"reason": " "}, "say why"),
        ({"actor": ""}, "say who you are"),
        ({"model": "../x"}, "no name of a model"),
        ({"ids": " ".join(f"0:{n}" for n in range(501))}, "a form takes 500"),
        ({"set": "\n".join(f"f{n}=1" for n in range(21))}, "at most 20 fields"),
    ],
)
def test_what_is_wrong_in_a_form_is_said_and_nothing_is_asked(change: dict[str, str], says: str) -> None:
    answer = asking().post("/redrive/send", data=FORM | change)
    assert answer.status_code == 409
    assert says in answer.text


@pytest.mark.parametrize(("error", "code"), [(UserError("it is <b>refused</b>"), 409), (TransientError("no answer"), 503)])
def test_what_went_wrong_is_a_page_with_the_form_again(error: Exception, code: int) -> None:
    def ask(_: Question) -> dict[str, Any]:
        raise error

    answer = asking(ask).post("/redrive/send", data=FORM | {"reason": EVIL})
    assert answer.status_code == code
    assert EVIL not in answer.text
    assert "<b>refused" not in answer.text
    assert 'value="label=true"' in answer.text
    assert ("what was sent is not sent twice" in answer.text) is (code == 503)


def test_nothing_is_sent_by_a_link() -> None:
    assert asking(answers).get("/redrive/send", params=FORM).status_code in (404, 405)


@pytest.mark.parametrize(
    ("data", "text", "digits"),
    [
        (b"plain", "plain", None),
        (b"\xff\x00", None, "ff 00"),
        (None, None, None),
        (("é" * SHOWN_BYTES).encode(), "é" * (SHOWN_BYTES // 2), None),
        (("x" + "é" * SHOWN_BYTES).encode(), "x" + "é" * (SHOWN_BYTES // 2 - 1), None),
    ],
)
def test_bytes_are_text_or_digits_and_bounded(data: bytes | None, text: str | None, digits: str | None) -> None:
    found = shown(data)
    assert (found["text"], found["hex"], found["bytes"]) == (text, digits, None if data is None else len(data))
