"""A prediction back to the bytes that it came from."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING

from driftloop.client.arguments import Say, time_of
from driftloop.client.connections import Connections
from driftloop.client.models import all_models
from driftloop.errors import UserError

if TYPE_CHECKING:
    from driftloop.lineage.trace import Trace

MAX_ID_BYTES = 10_000


def trace(to: Connections, event_id: str, *, stream: str | None, time: datetime | str | None, every_file: bool, say: Say) -> "Trace":
    """As ``lineage.trace.trace``, over the models that the registry knows."""
    _check(event_id)
    when = None if time is None else time_of(time)
    with ThreadPoolExecutor(1) as pool:
        known = pool.submit(all_models, to.registry)  # asked while the lake's modules are imported
        from driftloop.lineage.trace import trace

        return trace(to.store, to.s3, known.result(), event_id, stream=stream, time=when, every_file=every_file, say=say)


def _check(event_id: str) -> None:
    try:
        size = len(event_id.encode())
    except UnicodeEncodeError as exc:
        raise UserError("the event id is not readable text in this terminal's encoding") from exc
    if not 0 < size <= MAX_ID_BYTES:
        raise UserError(f"an event id has 1 to {MAX_ID_BYTES:,} bytes")
