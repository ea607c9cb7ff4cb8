"""`driftloop quarantine redrive`: mend rejected messages and send them again."""

import getpass
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import Progress

from driftloop.cli.errors import one_line_errors
from driftloop.cli.options import tell
from driftloop.cli.output import emit
from driftloop.cli.quarantine.options import json_option, stream_option, text
from driftloop.client import Client
from driftloop.client.arguments import time_of
from driftloop.client.changes import Changes
from driftloop.errors import UserError

if TYPE_CHECKING:
    from driftloop.client.redrive_outcome import Outcome, Redriven
    from driftloop.client.redriving import Asked
    from driftloop.redrive.changes import Change

SHOWN = 20  # messages that were refused, or that a dry run shows
SHOWN_CHARACTERS = 300  # of a message


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@stream_option
@click.option("--id", "more_ids", multiple=True, metavar="ID", help="The same as an argument.")
@click.option("--reason", default=None, metavar="TEXT", help="All that were rejected for a reason that holds TEXT.")
@click.option("--since", default=None, metavar="TIME", help="Of these, or of all: rejected at TIME or later.")
@click.option("--until", default=None, metavar="TIME", help="Of these, or of all: rejected before TIME.")
@click.option("--all", "everything", is_flag=True, help="All that are in quarantine.")
@click.option("--as-is", is_flag=True, help="The original bytes: the contract takes them by now.")
@click.option("--set", "fields", multiple=True, metavar="PATH=VALUE", help="Set a field of the JSON object; VALUE is JSON, else text.")
@click.option("--transform", "function", default=None, metavar="FILE.py:FUNCTION", help="What your function makes of each message.")
@click.option("--schema-version", type=click.IntRange(1), default=None, help="Send only if the stream's schema is of this version.")
@click.option("--again", is_flag=True, help="Also what was sent again before.")
@click.option("--take-over", is_flag=True, help="From a run that has ended without saying so, on another machine.")
@click.option("--dry-run", is_flag=True, help="Show each message before and after, and whether it would be taken; send nothing.")
@click.option("--why", default=None, help="Why you do so; it stays on the record, and goes with the messages.")
@click.option("--by", default=getpass.getuser, show_default="your user name", help="Who does so.")
@json_option
@one_line_errors
def redrive(
    ids: tuple[str, ...],
    stream: str | None,
    more_ids: tuple[str, ...],
    reason: str | None,
    since: str | None,
    until: str | None,
    everything: bool,
    as_is: bool,
    fields: tuple[str, ...],
    function: str | None,
    schema_version: int | None,
    again: bool,
    take_over: bool,
    dry_run: bool,
    why: str | None,
    by: str,
    as_json: bool,
) -> None:
    """Send rejected messages again, mended or as they were, to the topic that they came from.

    ID is PARTITION:OFFSET as `driftloop quarantine list` shows it, or TOPIC/PARTITION/OFFSET of where the message came from. Each is
    checked as the services check it; one that would be rejected again is not sent, and said why. One that was sent again before is
    not sent once more, whoever asks and however often: after a break, the same command goes on from where it was.
    """
    from driftloop.client.redriving import Asked
    from driftloop.redrive.selection import selection

    chosen = selection(
        (*ids, *more_ids),
        everything=everything,
        reason=reason,
        since=None if since is None else time_of(since),
        until=None if until is None else time_of(until),
    )
    change = _change(as_is, fields, function, schema_version)
    asked = Asked(stream, chosen, change, again=again, take_over=take_over, schema_version=schema_version)
    done = Client().redrive_preview(asked, say=tell) if dry_run else _sent(asked, why, by)
    emit(done, as_json, lambda console: _show(console, done))
    if done.refused:
        raise click.exceptions.Exit(3)


def _change(as_is: bool, fields: tuple[str, ...], function: str | None, schema_version: int | None) -> "Change":
    from driftloop.redrive.changes import AsItWas, set_fields, transform

    ways = sum((as_is, bool(fields), function is not None))
    if ways > 1:
        raise UserError("one of --as-is, --set and --transform: a function can set fields itself")
    if fields:
        return set_fields(fields)
    if function is not None:
        return transform(function)
    if not as_is and schema_version is None:
        raise UserError(
            "say what is done to them: --as-is, --set PATH=VALUE, --transform FILE.py:FUNCTION, or --schema-version N when the schema "
            "has changed"
        )
    return AsItWas()


def _sent(asked: "Asked", why: str | None, by: str) -> "Redriven":
    if why is None:
        raise UserError("say why, with --why TEXT: it stays on the record. --dry-run shows what would be sent")
    with _counted() as told:
        return Changes().redrive(asked, why=why, by=by, on_progress=told, say=tell)


@contextmanager
def _counted() -> Iterator[Callable[[int], None]]:
    """How many messages have been looked at."""
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as shown:
        task = shown.add_task("sending again", total=None)
        yield lambda looked_at: shown.update(task, completed=looked_at, description=f"sending again: {looked_at:,} messages looked at")


def _show(console: Console, done: "Redriven") -> None:
    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    dry = done.run is None
    shown = [one for one in done.messages if dry or one.verdict in ("refused", "left out")]
    for one in shown[:SHOWN]:
        _show_one(say, one, dry)
    if len(shown) > SHOWN:
        say(f"… and {len(shown) - SHOWN:,} more: --json shows all")
    rest = [f"{done.refused:,} would be rejected again" if done.refused else "", f"{done.before:,} were sent before" if done.before else ""]
    rest += [f"{done.left_out:,} were left out" if done.left_out else ""]
    more = "".join(f", {each}" for each in rest if each)
    say(f"{done.sent:,} of {done.chosen:,} messages {'would be sent' if dry else 'were sent again'} ({done.change}){more}")
    if not dry and done.sent:
        say(f"run {done.run}; `driftloop quarantine list` says where each is now")


def _show_one(say: Callable[[str], None], one: "Outcome", dry: bool) -> None:
    why = f": {one.why}" if one.why else ""
    say(f"{one.id}  {one.topic}[{one.partition}] offset {one.offset}  {'would be sent' if one.verdict == 'send' else one.verdict}{why}")
    if dry:
        say(f"    rejected because: {one.reason}")
        say(f"    before: {_cut(one.before)}")
        if one.after is not None and one.after != one.before:
            say(f"    after:  {_cut(one.after)}")


def _cut(data: bytes | None) -> str:
    shown = text(None if data is None else data[:SHOWN_CHARACTERS])
    return shown if data is None or len(data) <= SHOWN_CHARACTERS else f"{shown}… ({len(data):,} bytes)"
