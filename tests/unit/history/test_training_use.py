"""Who was trained on which snapshot: runs, and the versions that came of them."""

from datetime import UTC, datetime

import pytest
from tests.unit.history.facts import DIGEST, MODEL, completed, failed, pins, started, tell

from driftloop.contracts.events import Event
from driftloop.history.model_history import ModelHistory
from driftloop.history.training_use import TrainedOn, trained_on
from driftloop.registry.state import ModelVersion

A, D = "a" * 64, "d" * 64


def version(number: int, request_id: str, model: str = MODEL) -> ModelVersion:
    made_at = datetime(2026, 1, 1, tzinfo=UTC)
    return ModelVersion(model=model, version=number, request_id=request_id, manifest=DIGEST, pins=pins("a"), registered_at=made_at)


def uses(versions: list[ModelVersion], *events: Event) -> dict[str, list[TrainedOn]]:
    return trained_on(versions, tell(ModelHistory(), *((str(n), event) for n, event in enumerate(events))).runs())


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ((started("r"),), "running"),
        ((started("r"), failed("r")), "failed"),
        ((started("r"), completed("r")), "completed"),
        ((completed("r"), started("r")), "completed"),
    ],
)
def test_a_run_without_a_version_is_told_with_what_became_of_it(events, state):
    [use] = uses([], *events)[A]
    assert (use.request_id, use.state, use.version, use.recipe) == ("r", state, None, "all" if state == "completed" else None)


def test_a_version_is_told_by_its_snapshot_also_when_only_the_end_of_its_run_was():
    found = uses([version(1, "r"), version(2, "unknown")], completed("r"), started("s", snapshot="d"))
    assert [(use.version, use.state, use.recipe) for use in found[A]] == [(1, "version", "all"), (2, "version", None)]
    assert [use.request_id for use in found[D]] == ["s"]


def test_versions_come_before_runs_in_the_order_of_model_and_number():
    found = uses([version(2, "r2"), version(1, "r1"), version(1, "x", model="a")], started("z"), started("r2"))
    assert [(use.model, use.version) for use in found[A]] == [("a", 1), (MODEL, 1), (MODEL, 2), (MODEL, None)]
