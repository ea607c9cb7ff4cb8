"""`driftloop trace`: a prediction back to the bytes that it came from."""

import sys

import click

from driftloop.cli.errors import one_line_errors
from driftloop.cli.links import show_links
from driftloop.cli.options import tell
from driftloop.cli.output import emit
from driftloop.client import Client


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
    found = Client().trace(event_id, stream=stream, time=when, every_file=every_file, say=tell)
    emit(found, as_json, lambda console: show_links(console, found.links, f"trace of {found.event_id[:80]}"))
    if not found.ok:
        sys.exit(1)
