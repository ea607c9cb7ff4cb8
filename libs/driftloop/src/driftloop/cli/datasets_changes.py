"""`driftloop datasets diff` and `verify`: what changed between two versions of data, and whether the bytes are still there."""

import sys
from collections.abc import Sequence
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from driftloop.adapters.s3 import MinioObjectStore
from driftloop.cli.context import current_stack
from driftloop.cli.errors import one_line_errors
from driftloop.cli.output import emit, table
from driftloop.cli.stored_profile import stored_profile
from driftloop.datasets.diff import DatasetDiff, difference
from driftloop.datasets.diff_inputs import side
from driftloop.datasets.snapshots import find_snapshot, schema_of, stored_snapshots
from driftloop.datasets.split_check import SplitCheck, SplitReport
from driftloop.datasets.split_rows import split_rows
from driftloop.datasets.verify import Verified, Verifier
from driftloop.lake.snapshot import load_snapshot
from driftloop.ports import ObjectStore
from driftloop.statistics.distances import RANKED_BY, STATISTICS


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def diff(a: str, b: str, as_json: bool) -> None:
    """Show what changed from A to B: rows, label corrections, schema, and how far each feature moved.

    A and B are beginnings of snapshots' digests, or tables as STREAM/TABLE or STREAM/TABLE@VERSION.
    """
    stack = current_stack()
    store = MinioObjectStore(stack.s3)
    before, after = side(store, stack.s3, a), side(store, stack.s3, b)
    found = difference(before, after, stored_profile(stack, store, before))
    emit(found, as_json, lambda console: _render_diff(console, found))


@click.command()
@click.argument("digests", nargs=-1)
@click.option("--split", "with_split", is_flag=True, help="Check the split as well: no key on both sides, no row that moved.")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def verify(digests: tuple[str, ...], with_split: bool, as_json: bool) -> None:
    """Hash every file of the snapshots whose digests begin so, or of all, and say which is not what was pinned.

    Exit code 1 when anything is wrong.
    """
    stack = current_stack()
    store = MinioObjectStore(stack.s3)
    chosen = [find_snapshot(store, digest) for digest in digests] or [(s.stream, s.digest) for s in stored_snapshots(store)]
    found = _verified(store, chosen)
    intact = [(v.stream, v.digest) for v in found if v.ok]
    split = _split(store, intact) if with_split else None
    ok = all(v.ok for v in found) and (split is None or split.ok)
    data = {
        "ok": ok,
        "snapshots": [msgspec.to_builtins(v) | {"ok": v.ok} for v in found],
        "split": None if split is None else msgspec.to_builtins(split) | {"ok": split.ok},
    }
    emit(data, as_json, lambda console: _render_verified(console, found, split))
    if not ok:
        sys.exit(1)


def _verified(store: ObjectStore, chosen: Sequence[tuple[str, str]]) -> list[Verified]:
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("hashing files", total=None)
        verifier = Verifier(store, lambda _key: progress.advance(task))
        return [verifier.verify(stream, digest) for stream, digest in chosen]


def _split(store: ObjectStore, chosen: Sequence[tuple[str, str]]) -> SplitReport:
    check = SplitCheck()
    for stream, digest in chosen:
        snapshot = load_snapshot(store, stream, digest)
        check.take(snapshot.content.split, split_rows(store, snapshot, schema_of(store, snapshot)))
    return check.report()


def _render_verified(console: Console, found: Sequence[Verified], split: SplitReport | None) -> None:
    rows = ((v.stream, v.digest[:12], v.files, v.bytes, "intact" if v.ok else f"{len(v.problems)} wrong") for v in found)
    console.print(table("Snapshots", ("stream", "digest", "files", "bytes", ""), rows))
    for v in found:
        for problem in v.problems:
            console.print(f"{v.digest[:12]}: {problem}", markup=False, highlight=False, soft_wrap=True)
    if split is not None:
        console.print(f"split: {split}", markup=False, highlight=False, soft_wrap=True)


def _render_diff(console: Console, d: DatasetDiff) -> None:
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


def _schema_words(d: DatasetDiff) -> str:
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
