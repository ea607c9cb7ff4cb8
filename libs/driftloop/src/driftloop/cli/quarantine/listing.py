"""Rejected messages, where they came from, why, and their original bytes."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from driftloop.cli.errors import one_line_errors
from driftloop.cli.output import emit, table
from driftloop.cli.quarantine.options import json_option, stream_option, text
from driftloop.client import Client
from driftloop.errors import UserError

if TYPE_CHECKING:
    from driftloop.client.rejected_messages import RejectedBytes


@click.command("list")
@stream_option
@json_option
@one_line_errors
def list_rejected(stream: str | None, as_json: bool) -> None:
    """Every rejected message with its origin and reason. ID is what `show` takes."""
    found = Client().quarantined(stream)
    columns = ("id", "topic", "partition", "offset", "bytes", "reason", "sent again")
    rows = ([*(getattr(q, c) for c in columns[:-1]), f"{q.redriven[-1].at:%Y-%m-%d %H:%M}" if q.redriven else None] for q in found)
    emit(found, as_json, lambda console: console.print(table("Quarantine", columns, rows)))


@click.command()
@click.argument("id")
@stream_option
@json_option
@one_line_errors
def show(id: str, stream: str | None, as_json: bool) -> None:
    """One rejected message in full. ID is its partition and offset in the quarantine topic, such as 2:41."""
    found = Client().quarantined_message(id, stream)
    emit(found, as_json, lambda console: _render(console, found))


@click.command()
@click.argument("id")
@stream_option
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default=None, help="File to write; default: standard output.")
@one_line_errors
def get(id: str, stream: str | None, output: Path | None) -> None:
    """The value of one rejected message, byte by byte as it was sent."""
    original = Client().quarantined_message(id, stream)
    if original.value is None:
        raise UserError(f"message {id} had no value")
    if output is None:
        click.get_binary_stream("stdout").write(original.value)
        return
    try:
        output.write_bytes(original.value)
    except OSError as exc:
        raise UserError(f"cannot write {output}: {exc.strerror or exc}") from exc


def _render(console: Console, shown: "RejectedBytes") -> None:
    console.print(f"{shown.topic}[{shown.partition}] offset {shown.offset}\n{shown.reason}", markup=False)
    for done in shown.redriven:
        to = f"partition {done.message.new_partition} offset {done.message.new_offset}"
        said = f"sent again on {done.at:%Y-%m-%d %H:%M} by {done.by}, {done.change}, to {to}: {done.why}"
        console.print(said, markup=False, highlight=False, soft_wrap=True)
    console.print(f"key: {text(shown.key)}", markup=False)
    for header in shown.headers:
        console.print(f"header {header.name}: {text(header.value)}", markup=False)
    console.print(f"value, {shown.bytes} bytes:\n{text(shown.value)}", markup=False)
