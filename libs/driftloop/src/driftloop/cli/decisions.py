"""`driftloop decisions`: what the loop decided, and why."""

from typing import Any

import click
import msgspec

from driftloop.cli.decision_replay import replay
from driftloop.cli.errors import one_line_errors
from driftloop.cli.options import tell
from driftloop.cli.output import emit, table
from driftloop.client import Client


@click.group(invoke_without_command=True)
@click.pass_context
@click.option("--model", default=None, help="Only this model's.")
@click.option("--last", type=click.IntRange(min=1), default=None, help="Only so many, the newest; takes no more memory after years.")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def decisions(ctx: click.Context, model: str | None, last: int | None, as_json: bool) -> None:
    """Every decision, "no" included, oldest first, with the evidence it was made on."""
    if ctx.invoked_subcommand is not None:
        return
    found = [
        {"id": told.about.id, "time": told.about.time.isoformat(), **msgspec.to_builtins(told.event)}
        for told in Client().decisions(model, last=last, say=tell)
    ]
    columns = ("decided", "model", "kind", "window", "the window is", "answer", "reason")
    emit(found, as_json, lambda console: console.print(table("Decisions", columns, map(_row, found))))


def _row(decision: dict[str, Any]) -> tuple[str, ...]:
    window = decision["window"]
    return (
        decision["time"][:19],
        decision["model"],
        decision["kind"],
        f"{window['start'][:16]} … {window['end'][:16]}" if window else "–",
        _meaning(decision["evidence"]),
        "yes" if decision["accepted"] else "no",
        decision["reason"],
    )


def _meaning(evidence: dict[str, Any]) -> str:
    """Of a retrain decision that says what its window means; those of before do not."""
    told = evidence.get("answer")
    if not isinstance(told, dict) or "answer" not in told:
        return "–"
    return str(told["answer"]) + ("" if told.get("harm_known") else " (harm not known yet)")


decisions.add_command(replay)
