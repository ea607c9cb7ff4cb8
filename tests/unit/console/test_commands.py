"""What a person may ask of the registry: forms become calls under a key, and every way it can end is a page."""

from typing import Any

import pytest
from tests.unit.console.desk import console
from tests.unit.registry.commands import MODEL, promote, register_project, register_version

from driftloop.errors import TransientError, UserError
from driftloop_console.commands import Call, call_of, fields_of

KEY = "0b7e2c1e-7b1f-4b7e-9a53-0a1f0c3d2e11"
FORM = {"model": MODEL, "version": "2", "expected_epoch": "1", "reason": "it is better", "actor": "a person", "key": KEY}


@pytest.mark.parametrize(
    ("verb", "path", "body"),
    [
        ("promote", f"/models/{MODEL}/aliases/champion", {"version": 2, "expected_epoch": 1}),
        ("rollback", f"/models/{MODEL}/aliases/champion/rollback", {"expected_epoch": 1}),
        ("approve", f"/models/{MODEL}/versions/2/approve", {}),
        ("reject", f"/models/{MODEL}/versions/2/reject", {}),
    ],
)
def test_a_form_becomes_one_call(verb: str, path: str, body: dict[str, int]) -> None:
    assert call_of(verb, FORM) == Call(path, {"reason": "it is better", "actor": "a person"} | body, KEY, MODEL)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"reason": " "}, "say why"),
        ({"reason": "x" * 2001}, "say why"),
        ({"actor": ""}, "say who you are"),
        ({"key": "short"}, "no key of its own"),
        ({"version": "-1"}, "no whole number"),
        ({"version": "२"}, "no whole number"),
        ({"model": "../x"}, "no name of a model"),
    ],
)
def test_what_is_wrong_in_a_form_is_said(change: dict[str, str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        call_of("promote", FORM | change)


@pytest.mark.parametrize("body", [b"\xff", b"&".join(b"a=1" for _ in range(50)), b"reason=%ff"])
def test_bytes_that_are_no_form_are_refused(body: bytes) -> None:
    with pytest.raises(UserError, match="this is no form"):
        fields_of(body)


def asking(command: Any) -> Any:
    return console(None, register_project(), register_version("r1"), promote("r1", epoch=0), command=command)


def test_what_is_done_leads_back_to_the_model() -> None:
    calls = []

    def done(call: Call) -> dict[str, Any]:
        calls.append(call)
        return {"command_id": promote("r1", epoch=0).command_id, "accepted": True}

    answer = asking(done).post("/models/promote", data=FORM)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/models?model={MODEL}&told=done")
    assert [call.key for call in calls] == [KEY]
    assert "on the record" in asking(done).get(answer.headers["location"]).text


def test_a_refusal_is_shown_with_what_was_written_under_a_new_key() -> None:
    def refused(_: Call) -> dict[str, Any]:
        raise UserError("the registry refused: epoch 1 was expected, it is <b>2</b>")

    answer = asking(refused).post("/models/promote", data=FORM | {"reason": "<script>x</script>"})
    assert answer.status_code == 409
    assert "It was not done" in answer.text
    assert "it is &lt;b&gt;2" in answer.text
    assert "&lt;script&gt;x" in answer.text
    assert "<script>x" not in answer.text
    assert KEY not in answer.text


def test_an_outcome_that_nobody_knows_can_be_asked_for_again_under_the_same_key() -> None:
    def silent(_: Call) -> dict[str, Any]:
        raise TransientError("the registry at http://127.0.0.1:1 does not answer")

    answer = asking(silent).post("/models/promote", data=FORM)
    assert answer.status_code == 503
    assert "the registry at http://127.0.0.1:1 does not answer" in answer.text
    assert f'value="{KEY}"' in answer.text


@pytest.mark.parametrize("verb", ["delete", "retrain"])
def test_other_verbs_are_not_there(verb: str) -> None:
    assert asking(None).post(f"/models/{verb}", data=FORM).status_code in (404, 405)


def test_a_body_without_end_is_refused() -> None:
    assert asking(None).post("/models/promote", content=b"x" * 100_000).status_code == 413


def test_nothing_is_changed_by_a_link() -> None:
    assert asking(None).get("/models/promote", params=FORM).status_code in (404, 405)
