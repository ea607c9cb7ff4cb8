"""`driftloop datasets export`: rows of a stream, as of a moment, to a file or a pipe."""

import os
import sys
from pathlib import Path
from typing import Any, BinaryIO, cast

import click

from driftloop.cli.errors import one_line_errors
from driftloop.cli.output import emit
from driftloop.client import Client
from driftloop.client.arguments import time_of
from driftloop.datasets.dataset import Dataset
from driftloop.datasets.formats import BINARY, FORMATS, Format, format_of, write_rows
from driftloop.datasets.limited import limited
from driftloop.errors import UserError


@click.command()
@click.argument("stream")
@click.option("--table", "table_name", type=click.Choice(["joined", "inferences", "labels"]), default="joined", show_default=True)
@click.option("--limit", type=click.IntRange(0), help="At most so many rows.")
@click.option("--columns", help="Only these columns, separated by commas.")
@click.option("--since", help="Only events from this event time on (ISO 8601; without a zone: UTC).")
@click.option("--as-of", help="Only events before this event time.")
@click.option("--known-at", help="Only what had been committed to the lake at this wall time.")
@click.option("--known-below", multiple=True, metavar="TOPIC-PARTITION=OFFSET", help="Only what lay below this offset; several times.")
@click.option("--snapshot", help="Exactly the rows of the snapshot whose digest begins so.")
@click.option("--labelled", is_flag=True, help="Only rows that have a label (of the joined table).")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="A file; its name says the format.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="Default: by the file's name; csv on stdout. Texts such as =1+1 stay texts: a spreadsheet would compute them.",
)
@click.option("--json", "as_json", is_flag=True, help="Rows as one JSON array; with -o a summary of what was written.")
@one_line_errors
def export(
    stream: str,
    table_name: str,
    limit: int | None,
    columns: str | None,
    since: str | None,
    as_of: str | None,
    known_at: str | None,
    known_below: tuple[str, ...],
    snapshot: str | None,
    labelled: bool,
    output: Path | None,
    form: str | None,
    as_json: bool,
) -> None:
    """Write rows of STREAM: inferences joined with their labels, or one of the two tables."""
    if known_at and known_below:
        raise UserError("give either --known-at or --known-below")
    known = time_of(known_at) if known_at else _offsets(known_below) if known_below else None
    dataset = Client().dataset(
        stream,
        table=cast(Any, table_name),
        since=since,
        as_of=as_of,
        known=known,
        snapshot=snapshot,
        columns=[name.strip() for name in columns.split(",")] if columns else None,
        labelled_only=labelled,
    )
    if output is None:
        _to_stdout(dataset, limit, cast(Format, "json" if as_json else form or "csv"))
        return
    chosen = cast(Format, form) if form else format_of(output)
    rows = _to_file(dataset, limit, output, chosen)
    data = {"path": str(output), "format": chosen, "rows": rows, "bytes": output.stat().st_size, **dataset.provenance}
    emit(data, as_json, lambda console: console.print(f"{rows:,} rows, {data['bytes']:,} bytes: {output}", highlight=False, soft_wrap=True))


def _to_stdout(dataset: Dataset, limit: int | None, form: Format) -> None:
    if form in BINARY and sys.stdout.isatty():
        raise UserError(f"{form} is not for a terminal: send it to a file with -o, or into a pipe")
    sink = cast(BinaryIO, sys.stdout.buffer)
    try:
        write_rows(limited(dataset.batches(), limit), dataset.schema, sink, form)
        sink.flush()
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _to_file(dataset: Dataset, limit: int | None, output: Path, form: Format) -> int:
    """Appears under its name when it is complete."""
    partial = output.with_name(f".{output.name}.partial")
    try:
        with partial.open("wb") as sink:
            rows = write_rows(limited(dataset.batches(), limit), dataset.schema, sink, form)
        os.replace(partial, output)
    except OSError as exc:
        raise UserError(f"{output}: {exc.strerror or exc}") from exc
    finally:
        partial.unlink(missing_ok=True)
    return rows


def _offsets(given: tuple[str, ...]) -> dict[str, dict[int, int]]:
    found: dict[str, dict[int, int]] = {}
    for text in given:
        where, _, offset = text.partition("=")
        topic, _, partition = where.rpartition("-")
        if not (topic and partition.isdecimal() and offset.isdecimal()):
            raise UserError(f"{text[:120]!r} is no offset; one looks like flights.inferences-0=1200")
        found.setdefault(topic, {})[int(partition)] = int(offset)
    return found
