"""`driftloop retrain`: ask for a new version now, and wait for what comes of it."""

from datetime import timedelta
from typing import Any

import click

from driftloop.cli.errors import one_line_errors
from driftloop.cli.options import tell
from driftloop.cli.output import emit
from driftloop.client import Client
from driftloop.client.changes import Changes
from driftloop.contracts.windows import parse_duration
from driftloop.errors import UserError

CAUSES = ("manual", "code-change", "new-data", "schedule")


@click.command()
@click.argument("model")
@click.option("--reason", required=True, help=f"Why; it stays on the record. One of {', '.join(CAUSES)} is also the cause.")
@click.option("--cause", type=click.Choice(CAUSES), default=None, help="What kind of change asks for it; manual unless the reason says it.")
@click.option("--wait", metavar="DURATION", default=None, help="Wait so long for the gate, as 1h; exit code 3 if it does not promote.")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def retrain(model: str, reason: str, cause: Any, wait: str | None, as_json: bool) -> None:
    """Publish a retrain request for MODEL; the gate decides whether its version becomes champion."""
    patience = None if wait is None else _duration(wait)
    kind: Any = cause or (reason if reason in CAUSES else "manual")
    request_id = Changes().retrain(model, reason=reason, cause=kind)
    if patience is None:
        emit(
            {"request_id": request_id, "model": model},
            as_json,
            lambda console: console.print(f"requested: {request_id}; watch it with `driftloop decisions --model {model}`"),
        )
        return
    tell(f"requested: {request_id}; waiting for the gate")
    found = Client().retraining_outcome(model, request_id, timeout=patience)
    emit(found, as_json, lambda console: console.print(f"{found.outcome}: {found.reason}"))
    if found.outcome != "promoted":
        raise click.exceptions.Exit(3)


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except (ValueError, OverflowError) as exc:
        raise UserError(f"--wait: {exc}") from exc
