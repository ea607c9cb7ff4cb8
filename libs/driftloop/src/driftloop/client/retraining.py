"""Asking for a new version now."""

import getpass
import uuid
from contextlib import closing
from typing import get_args

from driftloop.adapters.kafka import Producer, Publisher
from driftloop.client.arguments import checked_name
from driftloop.client.connections import Connections
from driftloop.client.models import models
from driftloop.contracts.events import RetrainReason, RetrainRequested
from driftloop.contracts.topics import RETRAIN_REQUESTS
from driftloop.errors import TransientError, UserError


def request_retraining(to: Connections, model: str, reason: str, cause: RetrainReason) -> str:
    """The request's id; the log holds the request when it returns. A publication whose outcome is unknown is made again under the
    same id: readers take the first of an id. Raises UserError, TransientError."""
    checked_name(model, "model name")
    if cause not in get_args(RetrainReason):
        raise UserError(f"{cause!r} is no cause of a retraining: one of {', '.join(get_args(RetrainReason))}")
    known = [found.model for found in models(to.registry)]
    if model not in known:
        raise UserError(
            f"no model {model!r} is registered; there is {', '.join(known) or 'none: register a project with driftloop up --project DIR'}"
        )
    request_id = str(uuid.uuid4())
    event = RetrainRequested(model=model, reason=cause, detail=reason, requested_by=getpass.getuser())
    try:
        _publish(to, event, request_id)
    except TransientError:
        _publish(to, event, request_id)
    return request_id


def _publish(to: Connections, event: RetrainRequested, request_id: str) -> None:
    with closing(Producer(to.kafka, client_id="driftloop-cli")) as producer:
        Publisher(producer, source="driftloop/cli").publish(RETRAIN_REQUESTS, event, key=event.model, id=request_id)
