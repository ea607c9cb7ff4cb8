"""`driftloop init`: from a file of rows to a project that passes its own check."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click
import msgspec
from rich.console import Console

from driftloop.cli.errors import one_line_errors
from driftloop.cli.options import as_json_option, tell
from driftloop.cli.output import emit, say
from driftloop.cli.output import table as as_table
from driftloop.contracts.column_types import FeatureType, TargetType
from driftloop.errors import UserError
from driftloop.project.model import CONFIG_FILE, PIPELINE_FILE

if TYPE_CHECKING:
    from driftloop.proposal.propose import Proposal
    from driftloop.proposal.wishes import Unsure, Wishes


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="A file with rows and their labels: Parquet, CSV or JSON lines.")
@click.option("--topic", help="Instead of a file: a topic whose records are JSON objects with features, time and label in one.")
@click.option("--rows", type=click.IntRange(min=1), default=100_000, show_default=True, help="Of --topic, so many of the newest records.")
@click.option("--name", help="Of project and stream; else the folder's.")
@click.option("--target", metavar="COLUMN", help="What is predicted.")
@click.option("--target-type", type=click.Choice(get_args(TargetType)), help="As what.")
@click.option("--metric", help="What candidates compete by; else the usual one for the target's type.")
@click.option("--time", "time", metavar="COLUMN", multiple=True, help="When a row happens; or columns of year, month and day, each named.")
@click.option("--time-format", metavar="FORMAT", help="How times are written: as strptime says it, unix or unix_ms.")
@click.option("--timezone", default="UTC", show_default=True, help="Of times without one, such as Europe/Berlin.")
@click.option("--entity", metavar="COLUMN", multiple=True, help="What a row is about, or none: its rows stay on one side of the split.")
@click.option("--event-id", metavar="COLUMN", help="Each row's id, or none.")
@click.option("--label-time", metavar="COLUMN", help="When the label became known, or none.")
@click.option("--every", metavar="DURATION", help="How long a window is, as 7d.")
@click.option("--type", "types", metavar="COLUMN=TYPE", multiple=True, help=f"A column's type: {', '.join(get_args(FeatureType))}.")
@click.option("--missing", metavar="TEXT", multiple=True, help="What stands for a missing value in the file.")
@click.option("--keep", metavar="COLUMN", multiple=True, help="A feature, whatever speaks against it.")
@click.option("--drop", metavar="COLUMN", multiple=True, help="No feature.")
@click.option("--yes", is_flag=True, help="Take what is proposed, ask nothing.")
@as_json_option
@one_line_errors
def init(
    folder: Path, data: Path | None, topic: str | None, rows: int, types: tuple[str, ...], yes: bool, as_json: bool, **wanted: object
) -> None:
    """Look at a file's columns and write a project into DIR: types, target, times, windows, each with the reason in a comment.

    What names the row, is constant, becomes known only with the label or tells the answer alone is left out of the features, with its
    reason. What the file leaves open is asked on a terminal; elsewhere a sentence says which option settles it.
    """
    if (folder / CONFIG_FILE).exists() or (folder / PIPELINE_FILE).exists():
        raise UserError(f"{folder} holds a project already: name another folder, or remove {CONFIG_FILE} and {PIPELINE_FILE} there")
    if (data is None) == (topic is None):
        raise UserError("name the rows that the project is for: either --data FILE or --topic TOPIC")
    from driftloop.datafile.reading import read_table
    from driftloop.proposal.propose import propose
    from driftloop.proposal.trial import tried
    from driftloop.proposal.wishes import Unsure
    from driftloop.proposal.writing import write

    wishes = _wishes(types, wanted)
    path = data if topic is None else _sampled(topic, rows, folder)
    assert path is not None
    table = read_table(path, wishes.missing)
    while True:
        try:
            proposal = propose(table, folder, wishes)
            break
        except Unsure as unsure:
            wishes = _settled(unsure, wishes, yes)
    with write(folder, proposal, path, datetime.now(UTC)) as written:
        trial = tried(written, path)
    told = msgspec.to_builtins(proposal) | {"folder": str(folder), "checked_rows": trial.rows, "fitted_rows": trial.fitted}
    emit(told, as_json, lambda console: _show(console, proposal, folder))


def _sampled(topic: str, rows: int, folder: Path) -> Path:
    """The records as a file of the project's, so that it can be looked at, replayed and named by --data."""
    from driftloop.client import Client

    sample = Client().topic_sample(topic, limit=rows)
    path = folder / "data" / f"{topic}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in sample.rows))
    others = f"; passed over, as no JSON objects: {sample.passed_over:,}" if sample.passed_over else ""
    tell(f"{len(sample.rows):,} records of {topic} are in {path}{others}")
    return path


def _wishes(types: tuple[str, ...], wanted: dict[str, object]) -> "Wishes":
    from driftloop.proposal.wishes import Wishes

    stated: dict[str, FeatureType] = {}
    for text in types:
        column, equals, kind = text.rpartition("=")
        if not equals or kind not in get_args(FeatureType):
            raise UserError(f"--type {text}: write COLUMN=TYPE, and as the type one of {', '.join(get_args(FeatureType))}")
        stated[column] = kind  # type: ignore[assignment]
    return Wishes(types=stated, **wanted)  # type: ignore[arg-type]


def _settled(unsure: "Unsure", wishes: "Wishes", yes: bool) -> "Wishes":
    """What a person says to the question; what is proposed with --yes. Raises ``unsure`` where there is nobody to be asked."""
    if yes and unsure.proposed is not None:
        answer = unsure.proposed
        tell(f"{unsure.question} {answer}, as proposed")
    elif not yes and somebody_is_there():
        say(unsure.question)
        answer = click.prompt("which", type=click.Choice(unsure.choices), default=unsure.proposed)
    else:
        raise unsure
    several = unsure.field in ("time", "entity")
    return msgspec.structs.replace(wishes, **{unsure.field: (answer,) if several else answer})


def somebody_is_there() -> bool:
    return sys.stdin.isatty()


def _show(console: Console, proposal: "Proposal", folder: Path) -> None:
    rows = [(c.column, c.role, c.type, c.name if c.name != c.column else None, f"{c.missing:,}", c.why) for c in proposal.columns]
    console.print(as_table(f"{proposal.name}: {proposal.rows:,} rows", ("column", "is", "type", "called", "missing", "because"), rows))
    lines = [
        f"target   {proposal.target} ({proposal.target_type}), measured by {proposal.metric}",
        f"windows  {proposal.every} each: {proposal.windows} with rows, {proposal.rows_a_window:,} labelled rows in the middle one by size",
        *(f"note     {warning}" for warning in proposal.warnings),
        f"wrote    {folder / CONFIG_FILE} and {folder / PIPELINE_FILE}: read again and checked, and the pipeline fits",
        f"next     driftloop up --project {folder}",
        f"         driftloop replay {folder}",
    ]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
