"""`driftloop models canary`: a version answers a share of the entities, a larger one, or none any more, by a person's decision."""

from typing import Any

import click
import msgspec
from rich.console import Console

from driftloop.cli.errors import one_line_errors
from driftloop.cli.options import as_json_option
from driftloop.cli.output import emit, table
from driftloop.client import Client
from driftloop.client.changes import Changes
from driftloop.contracts.canary_steps import share_text
from driftloop.errors import UserError

COLUMNS = ["epoch", "since", "version", "state", "share", "by", "because"]


@click.command()
@click.argument("name")
@click.option("--start", type=click.IntRange(1), help="Let this version answer the first step's share of the entities.")
@click.option("--next", "to_next", is_flag=True, help="Go on to the next step; after the last one it is champion.")
@click.option("--stop", is_flag=True, help="End it: the champion answers everybody again.")
@click.option("--reason", help="Why; it stays on the record.")
@as_json_option
@one_line_errors
def canary(name: str, start: int | None, to_next: bool, stop: bool, reason: str | None, as_json: bool) -> None:
    """Where the canary of NAME stands, and every record of one; or, with an option, a step by your own decision.

    The steps are the project's, [promotion] canary. By themselves they go on while no loss alarm is raised, and back when one is.
    """
    if (start is not None) + to_next + stop > 1:
        raise UserError("give one of --start VERSION, --next and --stop")
    if start is None and not to_next and not stop:
        found = msgspec.to_builtins(Client().model(name))
        return emit(found["canaries"], as_json, lambda console: show_canaries(console, found))
    if reason is None:
        raise UserError("say why with --reason: it stays on the record")
    move: Any = "begin" if start is not None else "next" if to_next else "end"
    done = Changes().canary(name, move, reason=reason, version=start)
    now = Client().model(name).canary
    where = f"{now.words()} of the entities" if now is not None else f"{name} has no canary any more"
    text = f"{where}: {done.reason}"
    return emit(done, as_json, lambda console: console.print(text, highlight=False, markup=False))


def show_canaries(console: Console, model: dict[str, Any]) -> None:
    now = model["canary"]
    title = f"canaries of {model['model']}; under way: " + (
        "none" if now is None else f"version {now['version']}, {share_text(now['share'])}"
    )
    console.print(table(title, COLUMNS, map(_row, model["canaries"])))


def _row(record: dict[str, Any]) -> list[Any]:
    place = [record["epoch"], record["since"], record["version"], record["state"]]
    return [*place, share_text(record["share"]) if record["share"] else None, record["by"], record["reason"]]
