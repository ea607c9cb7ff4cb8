"""`driftloop decisions replay`: another policy over the decisions that were made, side by side, without fitting anything."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from driftloop.cli.errors import one_line_errors
from driftloop.cli.options import tell
from driftloop.cli.output import emit, table
from driftloop.client import Client

if TYPE_CHECKING:
    from driftloop.monitoring.replay import Replay, ReplayedDecision


@click.command()
@click.option("--policy", required=True, type=click.Path(path_type=Path), help="TOML with a table [policy]; a driftloop.toml is one.")
@click.option("--model", default=None, help="Of this model; needed where there are several.")
@click.option("--journal", type=click.Path(path_type=Path), default=None, help="Decisions from a file, as `decisions --json` prints them.")
@click.option("--all", "every", is_flag=True, help="Also the windows on which both policies agree.")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def replay(policy: Path, model: str | None, journal: Path | None, every: bool, as_json: bool) -> None:
    """What another policy would have decided on the evidence on record. Nothing is fitted: `driftloop backtest` says what it is worth."""
    if journal is not None:
        from driftloop.client.replayed_decisions import replayed_journal

        found = replayed_journal(journal, policy, model)
    else:
        found = Client().replay_decisions(policy, model, say=tell)
    emit(found, as_json, lambda console: _show(console, found, every))


def _show(console: Console, found: "Replay", every: bool) -> None:
    shown = [each for each in found.decisions if every or each.differs]
    if shown:
        console.print(
            table(f"Decisions on {found.model}", ("window", "was", "would be", "why it was", "why it would be"), map(_row, shown))
        )
    console.print(
        f"{len(found.decisions)} windows: {found.recorded_attempts} attempts on record, {found.replayed_attempts} by the other policy; "
        f"{found.differing} decisions differ"
    )


def _row(each: "ReplayedDecision") -> tuple[str, ...]:
    said = ("no", "yes")
    start, end = each.window.start.isoformat()[:16], each.window.end.isoformat()[:16]
    return f"{start} … {end}", said[each.recorded], said[each.replayed], each.recorded_reason, each.reason
