"""What others wrote is shown, and steers no terminal."""

import io
import logging
import re
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import driftloop.cli
from driftloop.cli.errors import one_line_errors
from driftloop.cli.main import SaidOnce
from driftloop.cli.output import CleanConsole, say, shown, table
from driftloop.cli.quarantine.listing import _render
from driftloop.client.rejected_messages import Header, RejectedBytes
from driftloop.contracts.values import RedrivenMessage
from driftloop.errors import ConfigurationError, GapError, IntegrityError, ObjectNotFound, TransientError, UserError
from driftloop.history.redrives import SentAgain
from driftloop.telemetry import get_logger

# a title, a cleared screen, hidden text, C1's CSI in one byte, a line printed over, text that reads backwards, the bell
EVIL = "\x1b]0;owned\x07\x1b[2J\x1b[8m\x9b2J\rOK: approved\x08\u202edevorppa"
STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")


def on_a_terminal(render):
    out = io.StringIO()
    console = CleanConsole(file=out, force_terminal=True, color_system=None, width=200)
    render(console)
    return out.getvalue()


def test_rejected_message_is_shown_with_what_is_in_it_and_no_more():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    message = RedrivenMessage(id="r", quarantined="0:1", topic=EVIL, partition=0, offset=1, new_partition=0, new_offset=2)
    rejected = RejectedBytes(
        id="0:1",
        topic="s.requests",
        partition=0,
        offset=1,
        bytes=len(EVIL),
        reason=f"why {EVIL}",
        rejected_at=now,
        redriven=(SentAgain(at=now, run="r", by=EVIL, why=EVIL, change=EVIL, message=message),),
        value=EVIL.encode(),
        key=EVIL.encode(),
        headers=(Header(name=f"h{EVIL}", value=EVIL.encode()),),
    )

    text = on_a_terminal(lambda console: _render(console, rejected))

    assert "]0;owned" in text
    assert "OK: approved" in text
    assert not STEERING.search(text)


def test_whatever_is_printed_to_a_console_is_cleaned_and_its_own_colours_stay():
    out = io.StringIO()
    CleanConsole(file=out, force_terminal=True, color_system="standard").print(f"[red]{EVIL}[/]", table("t", ["a"], [[EVIL]]))

    assert "\x1b[31m" in out.getvalue()
    assert not STEERING.search(re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()))


@pytest.mark.parametrize(
    "error",
    [UserError(EVIL), TransientError(EVIL), ConfigurationError(EVIL), GapError(EVIL), IntegrityError(EVIL), ObjectNotFound(EVIL)],
    ids=lambda e: type(e).__name__,
)
def test_refusal_is_cleaned(error):
    @click.command()
    @one_line_errors
    def command():
        raise error

    result = CliRunner().invoke(command)

    assert "OK: approved" in result.stderr
    assert not STEERING.search(result.stderr)


def test_line_that_is_said_is_cleaned(capsys):
    say(f"passed over offset 3: {EVIL}", err=True)

    assert not STEERING.search(capsys.readouterr().err)


@pytest.mark.parametrize("text", ["plain", "zwei\nZeilen", "é ü 日本 ✓ –", "[bold]not markup[/]"])
def test_ordinary_text_is_shown_as_it_is(text):
    assert shown(text) == text


def test_any_number_of_records_that_nobody_can_read_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("driftloop.of_this_test")
    logger.addHandler(SaidOnce())
    for offset in range(400):
        get_logger(logger.name).warning("record-passed-over", reason=f"no event{EVIL}", offset=offset)
    get_logger(logger.name).warning("poll-failed")
    (first, second) = capsys.readouterr().err.splitlines()
    assert first.startswith("record-passed-over: no event")
    assert not STEERING.search(first)
    assert second == "poll-failed (said once)"


def test_commands_print_through_what_cleans():
    """``click.echo`` and Rich's own console are for documents of ours (JSON) and for progress."""
    offenders = [
        f"{path.name}:{n}: {line.strip()}"
        for path in Path(driftloop.cli.__file__).parent.rglob("*.py")
        if path.name != "output.py"
        for n, line in enumerate(path.read_text().splitlines(), 1)
        if ("click.echo(" in line and "json" not in line) or (re.search(r"\bConsole\(", line) and "stderr" not in line)
    ]
    assert offenders == []
