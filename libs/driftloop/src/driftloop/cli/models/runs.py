"""`driftloop models runs`: every training run and what came of it, the failed ones with their reason."""

from typing import Any

import click
import msgspec

from driftloop.cli.errors import one_line_errors
from driftloop.cli.options import as_json_option, tell
from driftloop.cli.output import emit, table
from driftloop.client import Client
from driftloop.history.requests import Run


@click.command()
@click.argument("name", required=False)
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many of the newest runs.")
@as_json_option
@one_line_errors
def runs(name: str | None, limit: int, as_json: bool) -> None:
    """Training runs of NAME, or of all models, oldest first: which failed and why, which gave a version's files."""
    found = [about_run(run) for run in Client().runs(name, say=tell)][-limit:]
    columns = ["started", "ended", "model", "request", "state", "recipe", "rows", "why"]
    emit(found, as_json, lambda console: console.print(table("training runs", columns, map(_row, found))))


def about_run(run: Run) -> dict[str, Any]:
    """As JSON has it."""
    ended = run.completed or run.failed
    first = run.started or ended
    assert first is not None  # a run is known by what was told of it
    completed, failed = run.completed and run.completed.event, run.failed and run.failed.event
    return {
        "request_id": run.request_id,
        "model": first.event.model,
        "answers": list(first.event.answers),
        "state": "completed" if completed else "failed" if failed else "running",
        "started": msgspec.to_builtins(run.started.about.time) if run.started else None,
        "ended": msgspec.to_builtins(ended.about.time) if ended else None,
        "recipe": completed.recipe if completed else None,
        "rows": completed.rows if completed else None,
        "manifest": completed.manifest if completed else None,
        "reason": failed.reason if failed and not completed else None,
        "detail": failed.detail if failed and not completed else None,
    }


def _row(run: dict[str, Any]) -> list[Any]:
    times = [time and time[:19] for time in (run["started"], run["ended"])]
    return [*times, run["model"], run["request_id"][:13], run["state"], run["recipe"], run["rows"], run["reason"]]
