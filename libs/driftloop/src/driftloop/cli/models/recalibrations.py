"""`driftloop models recalibration|recalibrate`: how the champion's answers are corrected, and a person's decision on it."""

from typing import Any

import click
import msgspec

from driftloop.cli.errors import one_line_errors
from driftloop.cli.options import as_json_option
from driftloop.cli.output import emit, table
from driftloop.client import Client
from driftloop.client.changes import Changes
from driftloop.contracts.recalibration import Recalibration
from driftloop.contracts.typed import prepared
from driftloop.errors import UserError

COLUMNS = ["epoch", "since", "version", "champion epoch", "correction", "by", "run", "because"]


@click.command()
@click.argument("name")
@as_json_option
@one_line_errors
def recalibration(name: str, as_json: bool) -> None:
    """How the answers of NAME's champion are corrected now, and every record of it.

    A promotion, or any other move of the champion, ends the one in force.
    """
    found = msgspec.to_builtins(Client().recalibrations(name))
    now = "none" if found["in_force"] is None else f"epoch {found['in_force']['epoch']}"
    title = f"recalibrations of {name}; in force: {now}"
    emit(found, as_json, lambda console: console.print(table(title, COLUMNS, map(_row, found["recalibrations"]))))


@click.command()
@click.argument("name")
@click.option("--clear", is_flag=True, help="End the one in force: answers are the model's own again.")
@click.option("--to", type=click.IntRange(1), help="Correct as the record of this epoch did; it must be of the same version.")
@click.option("--numbers", help='Correct by these: {"kind": "shift", "strength": 1, "shift": -0.5}, as a decision on a run shows them.')
@click.option("--expected-epoch", type=click.IntRange(0), help="Refuse if there is another record since; default: the epoch of now.")
@click.option("--reason", required=True, help="Why; it stays on the record.")
@as_json_option
@one_line_errors
def recalibrate(
    name: str, clear: bool, to: int | None, numbers: str | None, expected_epoch: int | None, reason: str, as_json: bool
) -> None:
    """Correct the answers of NAME's champion by your own decision, whatever the gate said, until the next promotion.

    The way back is a new record, too: nothing that was recorded goes away.
    """
    if clear + (to is not None) + (numbers is not None) != 1:
        raise UserError("give one of --clear, --to EPOCH and --numbers JSON")
    if to is not None:
        done = Changes().recalibrate_as(name, to, reason=reason, expected_epoch=expected_epoch)
    else:
        wished = None if numbers is None else _numbers(numbers)
        done = Changes().recalibrate(name, wished, reason=reason, expected_epoch=expected_epoch)
    text = f"version {done.version} of {name}, recalibration epoch {done.epoch}: {done.reason}"
    emit(done, as_json, lambda console: console.print(text, highlight=False, markup=False))


def _numbers(text: str) -> Recalibration:
    try:
        return msgspec.json.decode(text, type=prepared(Recalibration))
    except (msgspec.MsgspecError, UnicodeEncodeError) as exc:
        raise UserError(f"--numbers: {exc}") from exc


def _row(record: dict[str, Any]) -> list[Any]:
    numbers = record["recalibration"]
    said = "none" if numbers is None else ", ".join(f"{name} {_shown(value)}" for name, value in numbers.items())
    place = [record["epoch"], record["since"], record["version"], record["champion_epoch"]]
    return [*place, said, record["by"], record["request_id"], record["reason"]]


def _shown(value: Any) -> str:
    match value:
        case list():
            return "/".join(map(_shown, value))
        case float():
            return f"{value:g}"
        case _:
            return str(value)
