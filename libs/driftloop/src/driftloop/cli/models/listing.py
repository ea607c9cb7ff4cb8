"""`driftloop models list|history|at`: what the registry knows, and what was asked of it."""

from typing import Any

import click
import msgspec

from driftloop.cli.errors import one_line_errors
from driftloop.cli.options import as_json_option
from driftloop.cli.output import emit, table
from driftloop.client import Client
from driftloop.client.arguments import time_of


@click.command("list")
@as_json_option
@one_line_errors
def list_models(as_json: bool) -> None:
    """Every model with its champion."""
    found = msgspec.to_builtins(Client().models())
    columns = ["model", "project", "versions", "champion", "epoch", "since", "waiting for approval"]
    rows = [[m["model"], (m["project"] or {}).get("project"), m["versions"], *_champion(m), _numbers(m["waiting"])] for m in found]
    emit(found, as_json, lambda console: console.print(table("models", columns, rows)))


@click.command()
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="How many of the newest records.")
@as_json_option
@one_line_errors
def history(name: str, limit: int, as_json: bool) -> None:
    """What was asked of NAME in the registry, what came of it and why; refusals too."""
    entries = msgspec.to_builtins(Client().history(name, limit=limit))
    columns = ["at", "command", "by", "why", "version", "epoch", "answer", "because"]
    emit(entries, as_json, lambda console: console.print(table(f"history of {name}", columns, map(_history_row, entries))))


@click.command()
@click.argument("name")
@click.argument("time")
@click.option("--alias", default="champion", show_default=True)
@as_json_option
@one_line_errors
def at(name: str, time: str, alias: str, as_json: bool) -> None:
    """Which version of NAME was champion at TIME (ISO 8601; without a zone: UTC), since when, by whom and why."""
    moment = time_of(time)
    found = msgspec.to_builtins(Client().alias_at(name, moment, alias=alias))
    row = [found["version"], found["epoch"], found["since"], found["by"], found["reason"], found["manifest"][:12]]
    columns = ["version", "epoch", "since", "by", "why", "manifest"]
    emit(found, as_json, lambda console: console.print(table(f"{alias} of {name} at {moment.isoformat()}", columns, [row])))


def _champion(model: dict[str, Any]) -> list[Any]:
    alias = model["aliases"].get("champion") or {}
    return [alias.get("version"), alias.get("epoch"), alias.get("since")]


def _numbers(versions: list[int]) -> str | None:
    return ", ".join(map(str, versions)) or None


def _history_row(entry: dict[str, Any]) -> list[Any]:
    outcome = entry["outcome"]
    command = entry["type"].removeprefix("driftloop.").rpartition(".")[0]
    answer = "accepted" if outcome["accepted"] else "waiting" if outcome["waiting"] else "refused"
    return [entry["at"], command, entry["actor"], entry["reason"], outcome["version"], outcome["epoch"], answer, outcome["reason"]]
