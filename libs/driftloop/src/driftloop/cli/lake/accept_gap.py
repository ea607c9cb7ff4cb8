"""`driftloop lake accept-gap`: go on without messages that are gone for good."""

import getpass
from typing import TYPE_CHECKING

import click
from rich.console import Console

from driftloop.cli.errors import one_line_errors
from driftloop.cli.output import emit
from driftloop.client.changes import Changes

if TYPE_CHECKING:
    from driftloop.contracts.gaps import AcceptedGap


@click.command("accept-gap")
@click.argument("stream")
@click.argument("where", metavar="TOPIC-PARTITION")
@click.argument("start", type=click.IntRange(0))
@click.argument("end", type=click.IntRange(1))
@click.option("--reason", required=True, help="Why they are missing; it stays on the record.")
@click.option("--by", default=getpass.getuser, show_default="your user name", help="Who takes it upon themselves.")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def accept_gap(stream: str, where: str, start: int, end: int, reason: str, by: str, as_json: bool) -> None:
    """Put on record that the offsets from START to before END of TOPIC-PARTITION are missing, so that services go on after them.

    TOPIC is STREAM.requests, STREAM.inferences or STREAM.labels. A service that stops at a gap names the offsets. The rows of
    these offsets are in no table and not in quarantine: this record is what is left of them.
    """
    done = Changes().accept_gap(stream, where, start, end, reason=reason, by=by)
    emit(done, as_json, lambda console: _show(console, done))


def _show(console: Console, gap: "AcceptedGap") -> None:
    said = f"{gap.topic}-{gap.partition}: offsets {gap.start} to {gap.end - 1} are missing, accepted by {gap.by}: {gap.reason}"
    console.print(said, highlight=False, soft_wrap=True)
