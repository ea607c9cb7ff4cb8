"""`driftloop models show`: a model's versions; or one version back to bytes, and forward to its predictions."""

import sys
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Console

from driftloop.cli.errors import one_line_errors
from driftloop.cli.links import show_links
from driftloop.cli.models.canary import show_canaries
from driftloop.cli.options import as_json_option
from driftloop.cli.output import emit, table
from driftloop.client import Client

if TYPE_CHECKING:
    from driftloop.client.version_lineage import VersionLineage


@click.command()
@click.argument("name")
@click.argument("version", type=click.IntRange(1), required=False)
@as_json_option
@one_line_errors
def show(name: str, version: int | None, as_json: bool) -> None:
    """Versions of NAME, and where its aliases point; or VERSION back to bytes and forward to its predictions.

    Exit code 1 if something that VERSION was made from is gone or changed.
    """
    if version is None:
        model = msgspec.to_builtins(Client().model(name))
        return emit(model, as_json, lambda console: _show_model(console, model))
    found = Client().version(name, version)
    emit(found, as_json, lambda console: _show_version(console, f"version {version} of {name}", found))
    if not found.ok:
        sys.exit(1)
    return None


def _show_version(console: Console, title: str, found: "VersionLineage") -> None:
    show_links(console, found.links, title)
    made = found.predictions
    row = [f"{made.rows:,}", made.first, made.last, made.files]
    console.print(table("its predictions", ["rows", "first event", "last event", "in files"], [row]))


def _show_model(console: Console, model: dict[str, Any]) -> None:
    aliases = model["aliases"].values()
    console.print(
        table("aliases", ["alias", "version", "epoch", "since"], ([a["name"], a["version"], a["epoch"], a["since"]] for a in aliases))
    )
    if model["canary"] is not None:
        show_canaries(console, model)
    console.print(
        table(
            f"versions of {model['model']}",
            ["version", "registered", "manifest", "request", "environment", "standing"],
            (_version_row(version, model["champion_epoch"]) for version in model["versions"]),
        )
    )


def _version_row(version: dict[str, Any], champion_epoch: int) -> list[Any]:
    standing = _standing(version["standing"], champion_epoch)
    if version["pins"] is None:
        what = f"served elsewhere as {version['watched']['served_as']}"
        return [version["version"], version["registered_at"], "no artifact", what, None, standing]
    digests = version["manifest"][:12], version["request_id"], version["pins"]["environment"][:12]
    return [version["version"], version["registered_at"], *digests, standing]


def _standing(standing: dict[str, Any] | None, champion_epoch: int) -> str | None:
    if standing is None:
        return None
    if standing["state"] != "waiting":
        return f"{standing['state']} by {standing['by']}: {standing['reason']}"
    if standing["champion_epoch"] != champion_epoch:
        return "waiting for approval, but the champion has moved since it was measured"
    return f"waiting for approval: {standing['reason']}"
