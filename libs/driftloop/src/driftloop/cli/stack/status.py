"""`driftloop status`: services, lag per topic, champion, and what an operator must know in words."""

from typing import Any

import click
import msgspec
from rich.console import Console

from driftloop.cli.errors import one_line_errors
from driftloop.cli.output import emit, table
from driftloop.client import Client
from driftloop.contracts.canary_steps import share_text


@click.command()
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def status(as_json: bool) -> None:
    """Show what runs, who is champion, how far each topic is behind, what waits for a person and what was decided last."""
    found = msgspec.to_builtins(Client().status())
    emit(found, as_json, lambda console: show_status(console, found))


def show_status(console: Console, found: dict[str, Any]) -> None:
    """``found``: a status as JSON has it."""
    columns = ["instance", "project", "state", "environment", "url"]
    rows = [[s["instance"], s.get("project"), s["state"], _shown(s.get("environment")), s["url"]] for s in found["services"]]
    console.print(table("services", columns, rows))
    console.print(
        table(
            "models",
            ["model", "versions", "champion", "epoch", "since", "canary"],
            [[m["model"], m["versions"], m["champion"], m["epoch"], m["since"], _canary(m)] for m in found["models"]],
        )
    )
    console.print(
        table("lag", ["topic", "end", "in the lake", "lag"], [[r["topic"], r["end"], r["in_lake"], r["lag"]] for r in found["lag"]])
    )

    for about in dict.fromkeys(word["about"] for word in found.get("words", ())):
        console.print(f"{about}:", markup=False, highlight=False)
        for word in found["words"]:
            if word["about"] == about:
                act = f"\n      → {word['act']}" if word["act"] else ""
                console.print(f"  {word['says']}{act}", markup=False, highlight=False)


def _canary(model: dict[str, Any]) -> str | None:
    found = model.get("canary")
    return None if found is None else f"version {found['version']}, {share_text(found['share'])} since {found['since']}"


def _shown(environment: dict[str, Any] | None) -> str | None:
    if environment is None:
        return None
    if environment["same"]:
        return "as trained"
    differing = ", ".join(f"{d['what']} {d['recorded'] or '–'} → {d['now'] or '–'}" for d in environment["differences"])
    return f"{'refused' if environment['setting'] == 'refuse' else 'differs'}: {differing}"
