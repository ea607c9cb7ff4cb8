"""`driftloop datasets verify`: whether the bytes of snapshots are still there."""

import sys
from typing import TYPE_CHECKING

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from driftloop.cli.errors import one_line_errors
from driftloop.cli.output import emit, table
from driftloop.client import Client

if TYPE_CHECKING:
    from driftloop.client.verification import Verification


@click.command()
@click.argument("digests", nargs=-1)
@click.option("--split", "with_split", is_flag=True, help="Check the split as well: no key on both sides, no row that moved.")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def verify(digests: tuple[str, ...], with_split: bool, as_json: bool) -> None:
    """Hash every file of the snapshots whose digests begin so, or of all, and say which is not what was pinned.

    Exit code 1 when anything is wrong.
    """
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("hashing files", total=None)
        found = Client().verify(*digests, split=with_split, on_file=lambda _: progress.advance(task))
    data = {
        "ok": found.ok,
        "snapshots": [msgspec.to_builtins(v) | {"ok": v.ok} for v in found.snapshots],
        "split": None if found.split is None else msgspec.to_builtins(found.split) | {"ok": found.split.ok},
    }
    emit(data, as_json, lambda console: _render(console, found))
    if not found.ok:
        sys.exit(1)


def _render(console: Console, found: "Verification") -> None:
    rows = ((v.stream, v.digest[:12], v.files, v.bytes, "intact" if v.ok else f"{len(v.problems)} wrong") for v in found.snapshots)
    console.print(table("Snapshots", ("stream", "digest", "files", "bytes", ""), rows))
    for v in found.snapshots:
        for problem in v.problems:
            console.print(f"{v.digest[:12]}: {problem}", markup=False, highlight=False, soft_wrap=True)
    if found.split is not None:
        console.print(f"split: {found.split}", markup=False, highlight=False, soft_wrap=True)
