"""The commands of `driftloop models` that change something: each is a record in the registry's log, with who and why."""

from typing import TYPE_CHECKING

import click
import msgspec

from driftloop.cli.errors import one_line_errors
from driftloop.cli.options import as_json_option
from driftloop.cli.output import emit
from driftloop.client import Client
from driftloop.client.changes import Changes
from driftloop.errors import UserError

if TYPE_CHECKING:
    from driftloop.client.model_changes import Changed

_alias = click.option("--alias", default="champion", show_default=True, help="Which alias to move.")
_epoch = click.option("--expected-epoch", type=click.IntRange(0), help="Refuse if the alias has moved since; default: the epoch of now.")
_reason = click.option("--reason", required=True, help="Why; it stays on the record.")
_version = click.argument("version", type=click.IntRange(1))


@click.command()
@click.argument("name")
@_version
@_alias
@_epoch
@_reason
@as_json_option
@one_line_errors
def promote(name: str, version: int, alias: str, expected_epoch: int | None, reason: str, as_json: bool) -> None:
    """Make VERSION of NAME champion by your own decision, whatever the gate said."""
    done = Changes().promote(name, version, reason=reason, alias=alias, expected_epoch=expected_epoch)
    _emit(done, as_json, f"version {{version}} is {alias} of {name} at epoch {{epoch}}")


@click.command()
@click.argument("name")
@click.option("--to", type=click.IntRange(1), help="The version to go back to; default: one step back.")
@_alias
@_epoch
@_reason
@as_json_option
@one_line_errors
def rollback(name: str, to: int | None, alias: str, expected_epoch: int | None, reason: str, as_json: bool) -> None:
    """Go back to the champion before the present one of NAME, or to a version. Repeated, it leads further back.

    The way back is a new epoch: nothing that was recorded goes away.
    """
    done = Changes().rollback(name, reason=reason, to=to, alias=alias, expected_epoch=expected_epoch)
    _emit(done, as_json, f"version {{version}} is {alias} of {name} again, at epoch {{epoch}}")


@click.command()
@click.argument("name")
@click.argument("version", type=click.IntRange(1), required=False)
@click.option("--stop", is_flag=True, help="Let nobody answer beside the champion any more.")
@_reason
@as_json_option
@one_line_errors
def shadow(name: str, version: int | None, stop: bool, reason: str, as_json: bool) -> None:
    """Let VERSION of NAME answer for the same rows as the champion, beside it: the challenger.

    Its answers go into the lake and into `driftloop performance`, and to nobody else. A move of the champion ends it.
    """
    if stop == (version is not None):
        raise UserError("say which version is to answer beside the champion, or --stop")
    done = Changes().shadow(name, version, reason=reason)
    text = (
        f"nobody answers beside the champion of {name} any more" if stop else f"version {{version}} answers beside the champion of {name}"
    )
    _emit(done, as_json, text)


@click.command()
@click.argument("name")
@_version
@_reason
@as_json_option
@one_line_errors
def approve(name: str, version: int, reason: str, as_json: bool) -> None:
    """Make VERSION of NAME, which waits for approval, champion; where the project declares steps of a canary, begin with the first.

    Refused if the champion is no longer the one that it was measured against.
    """
    done = Changes().approve(name, version, reason=reason)
    begins = Client().model(name).champion != version  # the project declares steps
    _emit(done, as_json, "{reason}" if begins else f"version {{version}} is champion of {name} at epoch {{epoch}}")


@click.command()
@click.argument("name")
@_version
@_reason
@as_json_option
@one_line_errors
def reject(name: str, version: int, reason: str, as_json: bool) -> None:
    """Say no to VERSION of NAME, which waits for approval."""
    _emit(Changes().reject(name, version, reason=reason), as_json, f"version {{version}} of {name} is rejected")


@click.command()
@click.argument("name")
@_version
@_reason
@as_json_option
@one_line_errors
def delete(name: str, version: int, reason: str, as_json: bool) -> None:
    """Give VERSION of NAME up for good. Its record and its number stay.

    Refused while an alias points at it, while it waits for approval, and while a kept version was measured against it.
    """
    _emit(Changes().delete(name, version, reason=reason), as_json, f"version {{version}} of {name} is deleted; its record stays")


@click.command()
@click.argument("name")
@click.option("--version", type=click.IntRange(1), help="Which version; default: the newest that the gate has agreed to and that waits.")
@_reason
@as_json_option
@one_line_errors
def takeover(name: str, version: int | None, reason: str, as_json: bool) -> None:
    """Answer for NAME, which is served elsewhere, from now on with a version that driftloop has trained.

    The predictor takes it up without a restart. `driftloop models rollback` gives the answering back.
    """
    done = Changes().take_over(name, reason=reason, version=version)
    _emit(done, as_json, f"version {{version}} answers for {name} from now on, at epoch {{epoch}}")


CHANGES: tuple[click.Command, ...] = (promote, takeover, rollback, shadow, approve, reject, delete)


def _emit(done: "Changed", as_json: bool, text: str) -> None:
    emit(done, as_json, lambda console: console.print(text.format(**msgspec.structs.asdict(done)), highlight=False))
