"""`driftloop status`: services, lag per topic, champion."""

from typing import Any

import click
import httpx
from rich.console import Console

from driftloop.adapters.kafka import AssignedConsumer, ends_of_records, partitions_of, topic_id
from driftloop.cli.context import StackInfo, current_stack
from driftloop.cli.errors import one_line_errors
from driftloop.cli.output import emit, table
from driftloop.cli.registry_client import RegistryClient
from driftloop.contracts import topics
from driftloop.errors import ObjectNotFound
from driftloop.lake.table import LakeTable, app_id, request_app_id
from driftloop.ports import TopicPartition


@click.command()
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def status(as_json: bool) -> None:
    """Show what runs, how far each topic is behind, and who is champion."""
    stack = current_stack()
    models = RegistryClient(stack.registry_url).get("/models")
    data = {
        "services": services(stack),
        "models": [_champion(m) for m in models],
        "lag": [row for m in models if m.get("project") for row in lag(stack, m["project"]["stream"])],
    }
    emit(data, as_json, lambda console: _render(console, data))


def services(stack: StackInfo) -> list[dict[str, Any]]:
    """Each instance with what it says of itself; ``state`` is ready, not ready or down."""
    return [{"instance": name, "url": url, **_ask(url), **_environment(name, url)} for name, url in sorted(stack.services.items())]


def _ask(url: str) -> dict[str, Any]:
    try:
        ready = httpx.get(f"{url}/readyz", timeout=2, verify=url.startswith("https:"))
        return {"state": "ready" if ready.status_code == 200 else "not ready", "says": ready.json()}
    except (httpx.HTTPError, ValueError) as exc:
        return {"state": "down", "says": {"error": type(exc).__name__}}


def _environment(instance: str, url: str) -> dict[str, Any]:
    """What a predictor says of the environment that its champion was fitted in; the other services score nothing."""
    if not instance.startswith("predictor"):
        return {}
    try:
        return {"environment": httpx.get(f"{url}/status", timeout=2, verify=url.startswith("https:")).json().get("environment")}
    except (httpx.HTTPError, ValueError):
        return {"environment": None}


def _shown(environment: dict[str, Any] | None) -> str | None:
    if environment is None:
        return None
    if environment["same"]:
        return "as trained"
    differing = ", ".join(f"{d['what']} {d['recorded'] or '–'} → {d['now'] or '–'}" for d in environment["differences"])
    return f"{'refused' if environment['setting'] == 'refuse' else 'differs'}: {differing}"


def _champion(model: dict[str, Any]) -> dict[str, Any]:
    champion = (model.get("aliases") or {}).get("champion") or {}
    return {
        "model": model["model"],
        "versions": len(model["versions"]) if isinstance(model.get("versions"), list) else model.get("versions"),
        "champion": champion.get("version"),
        "epoch": champion.get("epoch", 0),
        "since": champion.get("since"),
    }


def lag(stack: StackInfo, stream: str) -> list[dict[str, Any]]:
    """Messages of each data topic that the lake does not account for yet."""
    rows = []
    for topic, table_name, cursor in (
        (topics.requests(stream), "inferences", request_app_id),
        (topics.inferences(stream), "inferences", app_id),
        (topics.labels(stream), "labels", app_id),
    ):
        tps = [TopicPartition(topic, p) for p in range(partitions_of(stack.kafka_bootstrap, topic))]
        try:
            lake = LakeTable.open(stack.s3, stream, table_name)
            identity = topic_id(stack.kafka_bootstrap, topic)
            reached = {tp: lake.cursor(cursor(identity, tp.partition)) or 0 for tp in tps}
        except ObjectNotFound:
            reached = dict.fromkeys(tps, 0)
        consumer = AssignedConsumer(stack.kafka_bootstrap, tps, client_id="driftloop-status")
        try:
            ends = ends_of_records(consumer, reached)
        finally:
            consumer.close()
        rows.append(
            {"topic": topic, "end": sum(ends.values()), "in_lake": sum(reached.values()), "lag": sum(ends[tp] - reached[tp] for tp in tps)}
        )
    return rows


def _render(console: Console, data: dict[str, Any]) -> None:
    columns = ["instance", "state", "environment", "url"]
    rows = [[s["instance"], s["state"], _shown(s.get("environment")), s["url"]] for s in data["services"]]
    console.print(table("services", columns, rows))
    console.print(
        table(
            "models",
            ["model", "versions", "champion", "epoch", "since"],
            [[m["model"], m["versions"], m["champion"], m["epoch"], m["since"]] for m in data["models"]],
        )
    )
    console.print(
        table("lag", ["topic", "end", "in the lake", "lag"], [[r["topic"], r["end"], r["in_lake"], r["lag"]] for r in data["lag"]])
    )
