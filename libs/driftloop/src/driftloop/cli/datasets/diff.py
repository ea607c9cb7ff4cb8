"""`driftloop datasets diff`: what changed between two versions of data."""

from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from driftloop.cli.errors import one_line_errors
from driftloop.cli.output import emit, table
from driftloop.client import Client
from driftloop.statistics.distances import RANKED_BY, STATISTICS

if TYPE_CHECKING:
    from driftloop.datasets.diff import DatasetDiff


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def diff(a: str, b: str, as_json: bool) -> None:
    """Show what changed from A to B: rows, label corrections, schema, and how far each feature moved.

    A and B are beginnings of snapshots' digests, or tables as STREAM/TABLE or STREAM/TABLE@VERSION.
    """
    found = Client().diff(a, b)
    emit(found, as_json, lambda console: _render(console, found))


def _render(console: Console, d: "DatasetDiff") -> None:
    rows, labels = d.rows, d.labels
    console.print(f"from {d.a} to {d.b}", markup=False, highlight=False)
    console.print(f"rows: {rows.a:,} → {rows.b:,}; {rows.added:,} added, {rows.removed:,} removed, {rows.changed:,} with other features")
    if labels is not None:
        console.print(f"labels of rows in both: {labels.added:,} came, {labels.corrected:,} were corrected, {labels.removed:,} went")
        shown = ((c.event_id, c.before, c.after) for c in labels.examples)
        if labels.corrected:
            console.print(table("Corrections", ("event", "before", "after"), shown))
    console.print(f"schema: {_schema_words(d)}" + ("; the split rule differs" if d.split_changed else ""), markup=False, highlight=False)
    ref = d.reference
    reference = f"the profile of {ref.model} version {ref.version}" if ref.model else "a profile made from the first side's rows"
    columns = ("feature", *STATISTICS, "missing", "unseen", "out of range")
    lines = (
        (
            n,
            *(_number(f.statistics.get(name)) for name in STATISTICS),
            f"{f.missing_before:.3f} → {f.missing:.3f}",
            *map(_number, (f.unseen, f.out_of_range)),
        )
        for n, f in sorted(d.features.items(), key=lambda item: -item[1].statistics[RANKED_BY])
    )
    console.print(table(f"Distance of each feature from {reference}", columns, lines))


def _schema_words(d: "DatasetDiff") -> str:
    s = d.schema
    if s.none:
        return "the same"
    words: list[str] = [f"+{name} ({kind})" for name, kind in s.added.items()]
    words += [f"-{name} ({kind})" for name, kind in s.removed.items()]
    words += [f"{name}: {before} → {after}" for name, (before, after) in s.retyped.items()]
    words += [f"{name}: {'required' if after else 'optional'} now" for name, (_, after) in s.required.items()]
    return ", ".join(words)


def _number(value: Any) -> str | None:
    return None if value is None else f"{value:.4f}"
