"""`driftloop quarantine`: messages that were rejected, where they came from, why, and their original bytes."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from driftloop.cli.errors import one_line_errors
from driftloop.cli.output import emit, table
from driftloop.client import Client
from driftloop.errors import UserError

if TYPE_CHECKING:
    from driftloop.client.rejected_messages import RejectedBytes

stream_option = click.option("--stream", default=None, help="The stream; optional when one is registered.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON; bytes are base64.")


@click.group()
def quarantine() -> None:
    """Rejected messages, with their bytes and reasons."""


@quarantine.command("list")
@stream_option
@json_option
@one_line_errors
def list_rejected(stream: str | None, as_json: bool) -> None:
    """Every rejected message with its origin and reason. ID is what `show` takes."""
    found = Client().quarantined(stream)
    columns = ("id", "topic", "partition", "offset", "bytes", "reason")
    emit(found, as_json, lambda console: console.print(table("Quarantine", columns, ([getattr(q, c) for c in columns] for q in found))))


@quarantine.command()
@click.argument("id")
@stream_option
@json_option
@one_line_errors
def show(id: str, stream: str | None, as_json: bool) -> None:
    """One rejected message in full. ID is its partition and offset in the quarantine topic, such as 2:41."""
    found = Client().quarantined_message(id, stream)
    emit(found, as_json, lambda console: _render(console, found))


@quarantine.command()
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
    console.print(f"key: {_text(shown.key)}", markup=False)
    for header in shown.headers:
        console.print(f"header {header.name}: {_text(header.value)}", markup=False)
    console.print(f"value, {shown.bytes} bytes:\n{_text(shown.value)}", markup=False)


def _text(data: bytes | None) -> str:
    return "null" if data is None else data.decode("utf-8", "backslashreplace")
