"""`driftloop trace`: a prediction back to the bytes that it came from."""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import click
from rich.console import Console

from driftloop.cli.context import current_stack
from driftloop.cli.errors import one_line_errors
from driftloop.cli.model_state import all_models
from driftloop.cli.moments import moment
from driftloop.cli.output import emit, say, table
from driftloop.cli.registry_client import RegistryClient
from driftloop.errors import UserError

if TYPE_CHECKING:
    from driftloop.lineage.chain import Link
    from driftloop.lineage.trace import Trace

MAX_ID_BYTES = 10_000


@click.command()
@click.argument("event_id")
@click.option(
    "--time", "when", help="The event's time (ISO 8601): looks only into files that hold it. Random event ids need it in a large lake."
)
@click.option("--stream", help="Look into this stream only; needed where streams share event ids.")
@click.option("--every-file", is_flag=True, help="Hash the snapshot's files also when they are many (more than 64 MB).")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def trace(event_id: str, when: str | None, stream: str | None, every_file: bool, as_json: bool) -> None:
    """Follow the prediction of EVENT_ID back to bytes; every link is fetched and hashed again.

    Prediction, model version, training run, snapshot, files and offsets, code, environment, seed. Exit code 1 if one does not hold.
    """
    _check(event_id)
    stack = current_stack()
    with ThreadPoolExecutor(1) as pool:
        known = pool.submit(all_models, RegistryClient(stack.registry_url))  # asked while the lake's modules are imported
        from driftloop.adapters.s3 import MinioObjectStore
        from driftloop.lineage import trace as lineage

        store, time = MinioObjectStore(stack.s3), moment(when) if when is not None else None
        found = lineage.trace(store, stack.s3, known.result(), event_id, stream=stream, time=time, every_file=every_file, say=_say)
    emit(found, as_json, lambda console: _show(console, found))
    if not found.ok:
        sys.exit(1)


def _say(text: str) -> None:
    say(text, err=True)


def _check(event_id: str) -> None:
    try:
        size = len(event_id.encode())
    except UnicodeEncodeError as exc:
        raise UserError("the event id is not readable text in this terminal's encoding") from exc
    if not 0 < size <= MAX_ID_BYTES:
        raise UserError(f"an event id has 1 to {MAX_ID_BYTES:,} bytes")


def show_links(console: Console, links: "list[Link] | tuple[Link, ...]", title: str) -> None:
    """A line per link: ✓, or ✗ and the reason."""
    rows = [["✓" if link.ok else "✗", link.link, link.what if link.ok else f"{link.what}: {link.reason}"] for link in links]
    console.print(table(title, ["", "link", "what"], rows))


def _show(console: Console, found: "Trace") -> None:
    show_links(console, found.links, f"trace of {found.event_id[:80]}")
