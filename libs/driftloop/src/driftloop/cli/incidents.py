"""`driftloop incidents`: what happened to a stream, from the first window that drifted to the last."""

from typing import Any

import click
import msgspec

from driftloop.cli.errors import one_line_errors
from driftloop.cli.options import tell
from driftloop.cli.output import emit, table
from driftloop.client import Client

SHOWN_COLUMNS = 3


@click.command()
@click.option("--model", default=None, help="Only this model's.")
@click.option("--last", type=click.IntRange(min=1), default=None, help="Only so many, those told of last.")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def incidents(model: str | None, last: int | None, as_json: bool) -> None:
    """Windows in a row that drifted in columns that they share: since when, until when, which columns, how far."""
    found = [
        {"id": told.about.id, "time": told.about.time.isoformat(), **msgspec.to_builtins(told.event)}
        for told in Client().incidents(model, last=last, say=tell)
    ]
    columns = ("model", "state", "from", "to", "windows", "severity", "columns")
    emit(found, as_json, lambda console: console.print(table("Incidents", columns, map(_row, found))))


def _row(incident: dict[str, Any]) -> tuple[str, ...]:
    names = sorted(incident["columns"], key=lambda name: -incident["columns"][name])
    more = f" +{len(names) - SHOWN_COLUMNS}" if len(names) > SHOWN_COLUMNS else ""
    return (
        incident["model"],
        "closed" if incident["state"] == "closed" else "open",
        incident["start"][:16],
        incident["end"][:16],
        str(incident["windows"]),
        f"{incident['severity']:.2f}",
        ", ".join(names[:SHOWN_COLUMNS]) + more,
    )
