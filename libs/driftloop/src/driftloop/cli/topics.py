"""`driftloop topics`: topics that a team has already."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from driftloop.cli.errors import one_line_errors
from driftloop.cli.options import as_json_option
from driftloop.cli.output import emit, table

if TYPE_CHECKING:
    from driftloop.client.their_topics import TopicCheck
    from driftloop.rows.existing.contents import TopicContents

_records = click.option(
    "--records", type=click.IntRange(1, 100_000), default=1_000, show_default=True, help="So many of the newest are read."
)


@click.group()
def topics() -> None:
    """Topics that you have already, and the mapping by which a project reads them. Nothing is changed."""


@topics.command()
@click.argument("topic")
@_records
@as_json_option
@one_line_errors
def inspect(topic: str, records: int, as_json: bool) -> None:
    """Show what the newest records of TOPIC hold, and propose a mapping as TOML."""
    from driftloop.client import Client

    found = Client().topic_contents(topic, limit=records)
    emit(found, as_json, lambda console: _show(console, found))


@topics.command()
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=Path())
@_records
@as_json_option
@one_line_errors
def check(folder: Path, records: int, as_json: bool) -> None:
    """Read the newest records of the topics that the project in DIR names as its services would, and say what differs.

    Exit code 1 where a record cannot be read or a topic is not as it has to be.
    """
    from driftloop.client import Client

    found = Client().topic_checks(folder, limit=records)
    emit(found, as_json, lambda console: _show_checks(console, found))
    if any(each.problems or each.rejected for each in found):
        sys.exit(1)


def _show(console: Console, found: "TopicContents") -> None:
    formats = ", ".join(f"{name} ({n:,})" for name, n in found.formats.items()) or "none that is known"
    lines = [f"{found.topic}: {found.partitions} partitions; of the newest {found.records:,} records", f"format      {formats}"]
    if found.schemas:
        lines.append(f"schemas     {', '.join(f'{number} ({n:,} records)' for number, n in found.schemas.items())}")
    lines.append(f"key         {'none' if found.key is None else found.key}")
    if found.timestamps is not None:
        lines.append(f"timestamps  {found.timestamps[0]:%Y-%m-%d %H:%M:%S} to {found.timestamps[1]:%Y-%m-%d %H:%M:%S} UTC")
    lines += [f"not read    {n:,}: {why}" for why, n in found.problems.items()]
    _lines(console, lines)
    rows = []
    for field in found.fields:
        times = f"{field.earliest:%Y-%m-%d %H:%M} to {field.latest:%Y-%m-%d %H:%M}" if field.earliest and field.latest else None
        rows.append((field.path, " or ".join(field.types) or "null", f"{field.missing:.0%}", ", ".join(field.examples), times))
    if rows:
        console.print(table("Fields", ("path", "type", "missing", "examples", "times"), rows))
    if found.proposed is not None:
        _lines(console, ["", "A mapping to begin with:", "", found.proposed])


def _show_checks(console: Console, found: "list[TopicCheck]") -> None:
    for each in found:
        lines = [f"{each.role}: {each.topic}", *(f"  wrong    {problem}" for problem in each.problems)]
        if each.records:
            lines.append(f"  read     {each.readable:,} of the newest {each.records:,} records")
        lines += [f"  refused  {n:,}: {why}" for why, n in each.rejected.items()]
        if each.earliest is not None and each.latest is not None:
            lines.append(f"  events   {each.earliest:%Y-%m-%d %H:%M:%S} to {each.latest:%Y-%m-%d %H:%M:%S} UTC")
        if missing := {name: share for name, share in each.missing.items() if share}:
            lines.append(f"  missing  {', '.join(f'{name} {share:.0%}' for name, share in missing.items())}")
        lines += [f"  note     {warning}" for warning in each.warnings]
        _lines(console, lines)


def _lines(console: Console, lines: list[str]) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
