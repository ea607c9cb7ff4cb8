"""A canary on a real broker: stream and HTTP give each entity the same version, each row says by which rule, and so after a kill."""

from pathlib import Path

import pyarrow as pa
from tests.integration.predictor.harness import World, eventually
from tests.integration.predictor.test_swap import add_models
from tests.unit.predictor.samples import request, request_json

from driftloop.contracts.commands import MoveCanary
from driftloop.contracts.values import PromotionRules
from driftloop.rows.canary_hash import of_canary

STEPS = ("10 %", "50 %")
SHARE = 5000


def _move(stream: World, move: str, epoch: int) -> None:
    stream.command(MoveCanary, model=stream.name, version=2, move=move, champion_epoch=stream.epoch, expected_epoch=epoch)


def _versions(stream: World) -> dict[str, set[tuple[int, str]]]:
    """By entity, from all that the stream's rows say once overlaps are trimmed."""
    found: dict[str, set[tuple[int, str]]] = {}
    for row in stream.account().rows.to_pylist():
        found.setdefault(row["entity"], set()).add((row["model_version"], row["version_rule"]))
    return found


def test_each_entity_keeps_its_version_in_stream_and_http_and_through_a_kill(stream: World, tmp_path: Path) -> None:
    stream.register(stream.project, promotion=PromotionRules(canary=STEPS))
    add_models(stream, 2)
    stream.promote(1)
    entities = [f"carrier {n}" for n in range(60)]
    mask = of_canary(pa.table({"entity": entities, "event_id": entities}), stream.name, 2, SHARE)
    expected = {
        entity: {(2, "canary 50 %@2")} if theirs else {(1, "champion@1 beside canary 50 %@2")}
        for entity, theirs in zip(entities, mask, strict=True)
    }
    assert 10 < mask.sum() < 50

    def send(first: int) -> None:
        for i, entity in enumerate(entities):
            stream.send([request_json(first + i, entity=entity)], partition=i % 4)

    with stream.predictor() as predictor:
        eventually("version 1", lambda: predictor.http.get("/ping").status_code == 200)
        _move(stream, "begin", 0)
        eventually("the first step", lambda: (predictor.status()["canary"] or {}).get("rule") == "canary 10 %@1")
        _move(stream, "next", 1)
        eventually("the second step", lambda: (predictor.status()["canary"] or {}).get("rule") == "canary 50 %@2")
        send(0)
        eventually("the rows", lambda: stream.account().rows.num_rows == 60)
        predictor.kill()
        send(100)
        predictor.start()
        eventually("the rows after the kill", lambda: stream.account().rows.num_rows == 120)
        assert _versions(stream) == expected

        body = {"instances": [request(1000 + i) | {"entity": entity} for i, entity in enumerate(entities)]}
        answer = predictor.http.post("/invocations?durable=1", json=body).json()
        assert answer["version"] is None
        assert [(part["version"], part["rule"]) for part in answer["answered_by"]] == [
            (1, "champion@1 beside canary 50 %@2"),
            (2, "canary 50 %@2"),
        ]
        assert answer["answered_by"][1]["rows"] == [i for i, theirs in enumerate(mask) if theirs]
        assert _versions(stream) == expected  # the recorded rows of the call are among them

        _move(stream, "end", 2)
        eventually("nobody", lambda: predictor.status()["canary"] is None)
        assert predictor.http.post("/invocations", json=body).json()["answered_by"][0]["rule"] == "champion@1"
