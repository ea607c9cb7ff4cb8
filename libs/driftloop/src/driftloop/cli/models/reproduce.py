"""`driftloop models reproduce`: a version made again from its pins, and how closely it matches; or an audit of several."""

import signal
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Console

from driftloop.cli.errors import one_line_errors
from driftloop.cli.options import as_json_option, tell
from driftloop.cli.output import emit, table
from driftloop.client import Client
from driftloop.client.changes import Changes
from driftloop.errors import UserError

if TYPE_CHECKING:
    from driftloop.client.reproductions import AuditResult
    from driftloop.lineage.reproduction import Reproduction
    from driftloop.training.job import RunProgress

LEVELS = ("bytes", "predictions", "metrics", "none")


@click.command()
@click.argument("name")
@click.argument("version", type=click.IntRange(1), required=False)
@click.option("--audit", type=click.IntRange(1), metavar="N", help="Rebuild N random versions instead, and record what came of each.")
@click.option("--audit-id", help="Name of the audit; repeated under the same name it goes on where it was. Default: a new one.")
@click.option("--compare-again", is_flag=True, help="Also fit and measure all candidates again, not only the one that won.")
@click.option("--at-least", type=click.Choice(LEVELS), default="metrics", show_default=True, help="Exit code 1 below this level.")
@as_json_option
@one_line_errors
def reproduce(
    name: str, version: int | None, audit: int | None, audit_id: str | None, compare_again: bool, at_least: Any, as_json: bool
) -> None:
    """Rebuild VERSION of NAME from its pinned snapshot, code and environment, and say which level matched.

    \b
    bytes        all four files of the version are the same, byte for byte
    predictions  the same prediction for every row of the snapshot, scores within 1e-6
    metrics      the metric on held-out rows within 0.001
    none         neither
    """
    if (version is None) == (audit is None):
        raise UserError("give either a VERSION or --audit N")
    with _ended_by_signals():
        if version is not None:
            found = Client().reproduce(name, version, compare_again=compare_again, on_progress=_say)
            emit(found, as_json, lambda console: _show(console, found))
            levels = [found.level]
        else:
            done = Changes().audit(name, audit or 1, audit_id or str(uuid.uuid4()), compare_again=compare_again, on_progress=_say, say=tell)
            emit(done, as_json, lambda console: _show_audit(console, done))
            levels = [event.level for event in done.versions]
    from driftloop.training.levels import reaches  # scikit-learn and the lake: only when needed

    if not all(reaches(level, at_least) for level in levels):
        sys.exit(1)


def _say(version: int, progress: "RunProgress") -> None:
    fields = {k: v for k, v in msgspec.structs.asdict(progress).items() if v is not None and k != "step"}
    tell(f"version {version}: {progress.step} {' '.join(f'{k}={v}' for k, v in fields.items())}".rstrip())


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the work as Ctrl-C does: the training process is killed, the folder is removed."""
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(signal_number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _show_audit(console: Console, done: "AuditResult") -> None:
    rows = ([e.version, e.level, e.reason or ", ".join(d.what for d in e.differences) or None, f"{e.seconds:.1f}"] for e in done.versions)
    console.print(table(f"audit {done.audit}", ["version", "level", "differs", "seconds"], rows))


def _show(console: Console, found: "Reproduction") -> None:
    console.print(f"version {found.version} of {found.model}: level {found.level}, after {found.seconds:.1f} s", highlight=False)
    rows = ([name, "✓" if pair.same else "✗", pair.recorded[:12], pair.rebuilt[:12]] for name, pair in found.files.items())
    console.print(table("files", ["file", "same", "recorded", "rebuilt"], rows))
    if found.comparison == "recorded":
        console.print("the winner was fitted again; the comparison that it won was taken from the record (--compare-again repeats it)")
    agreed = found.agreement
    if agreed is not None and found.level != "bytes":
        said = agreed.error or (
            f"{agreed.differing} of {agreed.rows} predictions differ, scores by up to {agreed.largest_score_difference:.3g}; "
            f"{agreed.metric} {agreed.recorded_metric} recorded, {agreed.rebuilt_metric} rebuilt"
        )
        console.print(said, highlight=False)
    if found.differences:
        differing = ([d.what, d.recorded, d.now] for d in found.differences)
        console.print(table("what differs in the environment", ["what", "recorded", "now"], differing))
