"""`driftloop models` and `driftloop registry`: versions, aliases, history, and the state made again from its log."""

import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from driftloop.adapters.follower import folded
from driftloop.adapters.kafka import read_topic
from driftloop.adapters.registry_view import RegistryView, ViewBroken, ViewUnavailable
from driftloop.cli.context import current_stack
from driftloop.cli.errors import one_line_errors
from driftloop.cli.model_changes import CHANGES, as_json_option, checked, registry_client
from driftloop.cli.models_clean import clean_models
from driftloop.cli.moments import moment
from driftloop.cli.output import emit, table
from driftloop.cli.registry_client import RegistryClient
from driftloop.cli.reproduce import reproduce
from driftloop.contracts.topics import REGISTRY_LOG
from driftloop.errors import TransientError
from driftloop.registry.fold import RegistryState


@click.group()
def models() -> None:
    """Model versions, aliases and their history."""


for command in (*CHANGES, reproduce, clean_models):
    models.add_command(command)


@models.command("list")
@as_json_option
@one_line_errors
def list_models(as_json: bool) -> None:
    """Every model with its champion."""
    found = registry_client().get("/models")
    columns = ["model", "project", "versions", "champion", "epoch", "since", "waiting for approval"]
    rows = [[m["model"], (m["project"] or {}).get("project"), m["versions"], *_champion(m), _numbers(m["waiting"])] for m in found]
    emit(found, as_json, lambda console: console.print(table("models", columns, rows)))


@models.command()
@click.argument("name")
@click.argument("version", type=click.IntRange(1), required=False)
@as_json_option
@one_line_errors
def show(name: str, version: int | None, as_json: bool) -> None:
    """Versions of NAME, and where its aliases point; or VERSION back to bytes and forward to its predictions.

    Exit code 1 if something that VERSION was made from is gone or changed.
    """
    if version is not None:
        from driftloop.cli.model_lineage import show_version

        return show_version(name, version, as_json)
    model = registry_client().get(f"/models/{checked(name)}")
    return emit(model, as_json, lambda console: _show(console, model))


@models.command()
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="How many of the newest records.")
@as_json_option
@one_line_errors
def history(name: str, limit: int, as_json: bool) -> None:
    """What was asked of NAME in the registry, what came of it and why; refusals too."""
    entries = registry_client().get(f"/models/{checked(name)}/history", limit=limit)
    columns = ["at", "command", "by", "why", "version", "epoch", "answer", "because"]
    emit(entries, as_json, lambda console: console.print(table(f"history of {name}", columns, map(_history_row, entries))))


@models.command()
@click.argument("name")
@click.argument("time")
@click.option("--alias", default="champion", show_default=True)
@as_json_option
@one_line_errors
def at(name: str, time: str, alias: str, as_json: bool) -> None:
    """Which version of NAME was champion at TIME (ISO 8601; without a zone: UTC), since when, by whom and why."""
    found = registry_client().get(f"/models/{checked(name)}/at", time=moment(time).isoformat(), alias=checked(alias))
    row = [found["version"], found["epoch"], found["since"], found["by"], found["reason"], found["manifest"][:12]]
    columns = ["version", "epoch", "since", "by", "why", "manifest"]
    emit(found, as_json, lambda console: console.print(table(f"{alias} of {name} at {moment(time).isoformat()}", columns, [row])))


@click.group()
def registry() -> None:
    """The registry's state as a whole."""


@registry.command()
@as_json_option
@one_line_errors
def rebuild(as_json: bool) -> None:
    """Fold the log from its beginning into a fresh database and compare it with the live registry's.

    Stops nothing and changes nothing. Exit code 1 if the digests differ.
    """
    stack = current_stack()
    client = RegistryClient(stack.registry_url)
    live = client.get("/digest")
    state = _folded(stack.kafka_bootstrap, live["offset"])
    folder = Path(client.get("/status")["database"]["path"]).parent
    rebuilt = _through_a_fresh_database(state, folder if folder.is_dir() else Path(tempfile.gettempdir()))
    same = live["digest"] == live["view_digest"] == state.digest() == rebuilt
    result = {"offset": state.next_offset, "live": live["digest"], "live_database": live["view_digest"], "rebuilt": rebuilt, "same": same}
    emit(result, as_json, lambda console: _compare(console, result))
    if not same:
        sys.exit(1)


def _champion(model: dict[str, Any]) -> list[Any]:
    alias = model["aliases"].get("champion") or {}
    return [alias.get("version"), alias.get("epoch"), alias.get("since")]


def _show(console: Console, model: dict[str, Any]) -> None:
    aliases = model["aliases"].values()
    console.print(
        table("aliases", ["alias", "version", "epoch", "since"], ([a["name"], a["version"], a["epoch"], a["since"]] for a in aliases))
    )
    console.print(
        table(
            f"versions of {model['model']}",
            ["version", "registered", "manifest", "request", "environment", "standing"],
            (_version_row(version, model["champion_epoch"]) for version in model["versions"]),
        )
    )


def _version_row(version: dict[str, Any], champion_epoch: int) -> list[Any]:
    standing = _standing(version["standing"], champion_epoch)
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


def _numbers(versions: list[int]) -> str | None:
    return ", ".join(map(str, versions)) or None


def _history_row(entry: dict[str, Any]) -> list[Any]:
    outcome = entry["outcome"]
    command = entry["type"].removeprefix("driftloop.").rpartition(".")[0]
    answer = "accepted" if outcome["accepted"] else "waiting" if outcome["waiting"] else "refused"
    return [entry["at"], command, entry["actor"], entry["reason"], outcome["version"], outcome["epoch"], answer, outcome["reason"]]


def _folded(bootstrap: str, end: int) -> RegistryState:
    """The state after all records below ``end``, from the log alone."""
    state = RegistryState()
    for record in read_topic(bootstrap, REGISTRY_LOG):
        if record.offset >= end:
            break
        state = folded(state, record)
    return state.skip(end - 1)  # the log may hold offsets without a record before it


def _through_a_fresh_database(state: RegistryState, folder: Path) -> str:
    """Written, read back and thrown away."""
    try:
        with tempfile.TemporaryDirectory(prefix="registry-rebuild-", dir=folder) as fresh:
            view = RegistryView(Path(fresh) / "registry.sqlite")
            view.recreate(state)
            digest = view.digest()[1]
            view.close()
            return digest
    except (ViewBroken, ViewUnavailable, OSError) as exc:
        raise TransientError(f"cannot write a database in {folder}: {exc}") from exc


def _compare(console: Console, result: dict[str, Any]) -> None:
    rows = [["live registry", result["live"]], ["its database", result["live_database"]], ["rebuilt from the log", result["rebuilt"]]]
    console.print(table(f"registry at offset {result['offset']}", ["state", "digest"], rows))
    console.print("the same" if result["same"] else "DIFFERENT: keep the log and both databases, and report it")
