"""`driftloop retrain`: ask for a new version now."""

import getpass
import uuid

import click

from driftloop.adapters.kafka import Producer, Publisher
from driftloop.cli.context import current_stack
from driftloop.cli.errors import one_line_errors
from driftloop.cli.output import emit
from driftloop.cli.registry_client import RegistryClient
from driftloop.contracts.events import RetrainRequested
from driftloop.contracts.names import is_name
from driftloop.contracts.topics import RETRAIN_REQUESTS
from driftloop.errors import UserError


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
def retrain(model: str, reason: str, cause: str, as_json: bool) -> None:
    """Publish a retrain request for MODEL; the gate decides whether its version becomes champion."""
    if not is_name(model):
        raise UserError(f"{model!r} is no model name: lower-case letters, digits and hyphens")
    stack = current_stack()
    known = [m["model"] for m in RegistryClient(stack.registry_url).get("/models")]
    if model not in known:
        raise UserError(
            f"no model {model!r} is registered; there is {', '.join(known) or 'none: register a project with driftloop up --project DIR'}"
        )
    request_id = str(uuid.uuid4())
    producer = Producer(stack.kafka_bootstrap, client_id="driftloop-cli")
    event = RetrainRequested(model=model, reason=cause, detail=reason, requested_by=getpass.getuser())  # type: ignore[arg-type]
    Publisher(producer, source="driftloop/cli").publish(RETRAIN_REQUESTS, event, key=model, id=request_id)
    producer.close()
    emit(
        {"request_id": request_id, "model": model},
        as_json,
        lambda console: console.print(f"requested: {request_id}; watch it with `driftloop decisions --model {model}`"),
    )
