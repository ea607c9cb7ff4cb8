"""`driftloop decisions`: what the loop decided, and why."""

from typing import Any

import click
import msgspec

from driftloop.adapters.kafka import read_topic
from driftloop.cli.context import current_stack
from driftloop.cli.errors import one_line_errors
from driftloop.cli.output import emit, say, table
from driftloop.contracts.codec import decode_event
from driftloop.contracts.events import DecisionMade
from driftloop.contracts.names import is_name
from driftloop.contracts.topics import DECISIONS
from driftloop.errors import InvalidMessage, UserError
from driftloop.ports import Record


@click.command()
@click.option("--model", default=None, help="Only this model's.")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def decisions(model: str | None, as_json: bool) -> None:
    """Every decision, "no" included, oldest first, with the evidence it was made on."""
    if model is not None and not is_name(model):
        raise UserError(f"{model!r} is no model name: lower-case letters, digits and hyphens")
    found = [d for d in decided(read_topic(current_stack().kafka_bootstrap, DECISIONS)) if model in (None, d["model"])]
    columns = ("decided", "model", "kind", "window", "answer", "reason")
    emit(found, as_json, lambda console: console.print(table("Decisions", columns, map(_row, found))))


def decided(records: list[Record]) -> list[dict[str, Any]]:
    """The decisions in order of time. A repeat under the same id is no second decision: the first stands."""
    by_id: dict[str, dict[str, Any]] = {}
    for record in records:
        try:
            event, about = decode_event(record.value, record.headers)
        except InvalidMessage as exc:
            say(f"passed over offset {record.offset} of {record.topic}[{record.partition}]: {exc}", err=True)
            continue
        if isinstance(event, DecisionMade):
            by_id.setdefault(about.id, {"id": about.id, "time": about.time.isoformat(), **msgspec.to_builtins(event)})
    return sorted(by_id.values(), key=lambda d: (d["time"], d["id"]))


def _row(decision: dict[str, Any]) -> tuple[str, ...]:
    window = decision["window"]
    return (
        decision["time"][:19],
        decision["model"],
        decision["kind"],
        f"{window['start'][:16]} … {window['end'][:16]}" if window else "–",
        "yes" if decision["accepted"] else "no",
        decision["reason"],
    )
