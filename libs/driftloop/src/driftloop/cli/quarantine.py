"""`driftloop quarantine`: messages that were rejected, where they came from, why, and their original bytes."""

import base64
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from driftloop.adapters.kafka import read_topic
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.cli.context import StackInfo, current_stack
from driftloop.cli.errors import one_line_errors
from driftloop.cli.output import emit, table
from driftloop.cli.registry_client import RegistryClient
from driftloop.contracts.names import is_name
from driftloop.contracts.topics import quarantine as quarantine_topic
from driftloop.errors import UserError
from driftloop.ports import Record
from driftloop.service.quarantine import fetched, read_quarantined

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
    stack = current_stack()
    found = [about(r) for r in read_topic(stack.kafka_bootstrap, quarantine_topic(_stream(stack, stream)))]
    found.sort(key=lambda q: (q["topic"], q["partition"], q["offset"], q["id"]))
    columns = ("id", "topic", "partition", "offset", "bytes", "reason")
    emit(found, as_json, lambda console: console.print(table("Quarantine", columns, ([q[c] for c in columns] for q in found))))


@quarantine.command()
@click.argument("id")
@stream_option
@json_option
@one_line_errors
def show(id: str, stream: str | None, as_json: bool) -> None:
    """One rejected message in full. ID is its partition and offset in the quarantine topic, such as 2:41."""
    stack = current_stack()
    found, original = _fetched(stack, stream, id)
    shown = about(found) | content(original)
    emit(shown, as_json, lambda console: _render(console, shown))


@quarantine.command()
@click.argument("id")
@stream_option
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default=None, help="File to write; default: standard output.")
@one_line_errors
def get(id: str, stream: str | None, output: Path | None) -> None:
    """The value of one rejected message, byte by byte as it was sent."""
    _, original = _fetched(current_stack(), stream, id)
    if original.value is None:
        raise UserError(f"message {id} had no value")
    if output is None:
        click.get_binary_stream("stdout").write(original.value)
        return
    try:
        output.write_bytes(original.value)
    except OSError as exc:
        raise UserError(f"cannot write {output}: {exc.strerror or exc}") from exc


def _fetched(stack: StackInfo, stream: str | None, id: str) -> tuple[Record, Record]:
    """The record of the quarantine topic, and the message as it was before. Its bytes are those that were rejected, or it is refused."""
    partition, colon, offset = id.partition(":")
    if not (colon and partition.isdigit() and offset.isdigit()):
        raise UserError(f"{id!r} is no id of a rejected message: partition:offset, as `driftloop quarantine list` shows it")
    topic = quarantine_topic(_stream(stack, stream))
    records = read_topic(stack.kafka_bootstrap, topic, start={int(partition): int(offset)})
    record = next((r for r in records if (r.partition, r.offset) == (int(partition), int(offset))), None)
    if record is None:
        raise UserError(f"{topic} holds no message {id}; see `driftloop quarantine list`")
    return record, fetched(read_quarantined(record), MinioObjectStore(stack.s3)).record


def about(record: Record) -> dict[str, Any]:
    """Origin and reason of a rejected message."""
    found = read_quarantined(record)
    return {
        "id": f"{record.partition}:{record.offset}",
        "topic": found.topic,
        "partition": found.partition,
        "offset": found.offset,
        "bytes": len(record.value or b"") if found.stored is None else found.stored.size,
        "reason": found.reason,
    }


def content(original: Record) -> dict[str, Any]:
    """A message's value, key and headers, base64 so that nothing is lost."""
    return {
        "value": _base64(original.value),
        "key": _base64(original.key),
        "headers": [{"name": name, "value": _base64(value)} for name, value in original.headers],
    }


def _stream(stack: StackInfo, name: str | None) -> str:
    if name is not None:
        if not is_name(name):
            raise UserError(f"{name!r} is no stream name: lower-case letters, digits and hyphens")
        return name
    models = RegistryClient(stack.registry_url).get("/models")
    streams = sorted({m["project"]["stream"] for m in models if m.get("project")})
    if len(streams) != 1:
        raise UserError(f"{len(streams)} streams are registered{': ' + ', '.join(streams) if streams else ''}; say which with --stream")
    return str(streams[0])


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _render(console: Console, shown: dict[str, Any]) -> None:
    console.print(f"{shown['topic']}[{shown['partition']}] offset {shown['offset']}\n{shown['reason']}", markup=False)
    console.print(f"key: {_text(shown['key'])}", markup=False)
    for header in shown["headers"]:
        console.print(f"header {header['name']}: {_text(header['value'])}", markup=False)
    console.print(f"value, {shown['bytes']} bytes:\n{_text(shown['value'])}", markup=False)


def _text(encoded: str | None) -> str:
    return "null" if encoded is None else base64.b64decode(encoded).decode("utf-8", "backslashreplace")
