"""`driftloop retrain` names its cause and, if asked to, waits for the gate."""

from datetime import timedelta

import pytest
from click.testing import CliRunner

from driftloop.cli import retrain as module
from driftloop.client.retraining_outcome import RetrainingOutcome

ASKED: list = []


class Changes:
    def retrain(self, model, *, reason, cause):
        ASKED.append((model, reason, cause))
        return "q"


def client(outcome: str):
    class Client:
        def retraining_outcome(self, model, request_id, *, timeout):
            ASKED.append((model, request_id, timeout))
            return RetrainingOutcome(model=model, request_id=request_id, run=request_id, outcome=outcome, reason="because")

    return Client


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    ASKED.clear()
    monkeypatch.setattr(module, "Changes", Changes)
    return ASKED


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        (["--reason", "code-change"], "code-change"),
        (["--reason", "a new carrier"], "manual"),
        (["--reason", "a new carrier", "--cause", "new-data"], "new-data"),
        (["--reason", "code-change", "--cause", "manual"], "manual"),
    ],
)
def test_a_reason_that_is_a_cause_is_the_cause_unless_another_is_named(asked, options, cause):
    assert CliRunner().invoke(module.retrain, ["late", *options]).exit_code == 0
    assert [(model, said) for model, _, said in asked] == [("late", cause)]


@pytest.mark.parametrize(("outcome", "code"), [("promoted", 0), ("refused", 3), ("failed", 3)])
def test_the_exit_code_says_whether_the_gate_has_let_it_pass(monkeypatch, asked, outcome, code):
    monkeypatch.setattr(module, "Client", client(outcome))
    shown = CliRunner().invoke(module.retrain, ["late", "--reason", "code-change", "--wait", "90m"])
    assert shown.exit_code == code, shown.output
    assert f"{outcome}: because" in shown.output
    assert asked[-1] == ("late", "q", timedelta(minutes=90))


def test_a_time_to_wait_that_is_none_is_told_before_anything_is_asked_for(asked):
    shown = CliRunner().invoke(module.retrain, ["late", "--reason", "x", "--wait", "a while"])
    assert (shown.exit_code, asked) == (2, [])
    assert "--wait: 'a while' is not a duration" in shown.output
