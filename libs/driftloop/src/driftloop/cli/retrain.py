"""`driftloop retrain`: ask for a new version now."""

from typing import Any

import click

from driftloop.cli.errors import one_line_errors
from driftloop.cli.output import emit
from driftloop.client.changes import Changes


@click.command()
@click.argument("model")
@click.option("--reason", required=True, help="Why; it stays on the record.")
@click.option(
    "--cause",
    type=click.Choice(["manual", "code-change", "new-data", "schedule"]),
    default="manual",
    help="What kind of change asks for it.",
)
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def retrain(model: str, reason: str, cause: Any, as_json: bool) -> None:
    """Publish a retrain request for MODEL; the gate decides whether its version becomes champion."""
    request_id = Changes().retrain(model, reason=reason, cause=cause)
    emit(
        {"request_id": request_id, "model": model},
        as_json,
        lambda console: console.print(f"requested: {request_id}; watch it with `driftloop decisions --model {model}`"),
    )
