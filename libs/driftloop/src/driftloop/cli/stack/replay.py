"""`driftloop replay`: a project's rows as a stream, through the stack that runs."""

import os
import re
import signal
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click
from rich.console import Console

from driftloop.cli.errors import one_line_errors
from driftloop.cli.output import emit, say
from driftloop.contracts.windows import parse_duration
from driftloop.errors import UserError

if TYPE_CHECKING:
    from driftloop.replay.run import ReplayReport

INTERRUPTED = 130  # as shells say it
AS_FAST_AS_IT_FOLLOWS = "max"


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="Parquet, CSV or JSON lines; else the file that [backtest] data names.")
@click.option(
    "--speed",
    default=AS_FAST_AS_IT_FOLLOWS,
    show_default=True,
    metavar="SPEED",
    help="How much of the stream's time a second is, as 1d/s, without waiting for the loop; max: as fast as the loop follows.",
)
@click.option("--label-delay", metavar="DURATION", help="After which a row's label is known, as 2d; else label_time, or its window's end.")
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON; what happens meanwhile goes to stderr.")
@one_line_errors
def replay(folder: Path, data: Path | None, speed: str, label_delay: str | None, as_json: bool) -> None:
    """Send the rows of DIR's file in the order of their times, each label when it became known, with watermarks at windows' ends.

    The first windows are history: when they are in, the first version is asked for. Run again, it sends what is not in the lake yet.
    Exit code 1 if a row is not in the lake exactly once.
    """
    pace, delay = speed_of(speed), _delay(label_delay)
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, _interrupt)
    from driftloop.replay.interruptible import interruptible
    from driftloop.replay.run import Options, run_replay

    console = Console(stderr=True)
    try:
        report = interruptible(lambda: run_replay(folder, Options(data, pace, delay), console))
    except KeyboardInterrupt:
        say("stopped; the same command goes on where it was: what is in the lake is not sent again", err=True)
        os._exit(INTERRUPTED)  # threads of a client that waits for the broker must not hold up the end
    emit(report, as_json, lambda found: _show(found, report))
    if not report.ok:
        raise click.exceptions.Exit(1)


def speed_of(text: str) -> float | None:
    """How many times as fast as its own; None: as fast as the loop follows. Raises UserError."""
    if text == AS_FAST_AS_IT_FOLLOWS:
        return None
    match = re.fullmatch(r"(\d+[smhdw])/s", text)
    try:
        seconds = parse_duration(match[1]).total_seconds() if match else 0.0
    except OverflowError:
        seconds = 0.0
    if seconds <= 0:
        raise UserError(f"--speed {text}: write max, or how much of the stream's time a second is, such as 1d/s or 6h/s")
    return seconds


def _delay(text: str | None) -> timedelta | None:
    try:
        return None if text is None else parse_duration(text)
    except (ValueError, OverflowError) as exc:
        raise UserError(f"--label-delay: {exc}") from exc


def _interrupt(signal_number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _show(console: Console, report: "ReplayReport") -> None:
    quarantined = f"{report.quarantined:,} messages of the stream are in quarantine: `driftloop quarantine list` says why"
    lines = [
        f"{report.sent:,} rows and labels sent in {report.seconds:.0f} s: {report.requests}; {report.labels}",
        *([quarantined] if report.quarantined else []),
        f"{report.windows} windows, {report.versions} versions, champion v{report.champion}",
        f"next  driftloop performance {report.model}, driftloop drift {report.model}, driftloop models show {report.model}",
    ]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
