"""Commands as the services would write them, for tests of the registry's fold."""

from datetime import UTC, datetime, timedelta

from driftloop.contracts.commands import (
    ApproveVersion,
    Command,
    DeleteVersion,
    MoveAlias,
    PromoteVersion,
    RefuseRun,
    RegisterProject,
    RegisterVersion,
    RejectVersion,
)
from driftloop.contracts.values import GateMeasurements, PromotionRules, TrainingPins, Window
from driftloop.registry.fold import Outcome, RegistryState, fold

NOW = datetime(2026, 5, 3, 14, 0, tzinfo=UTC)
WINDOW = Window(start=NOW - timedelta(days=7), end=NOW)
MODEL = "flights"


def digest(text: str) -> str:
    return text.encode().hex().rjust(64, "0")[-64:]


def register_project(
    command_id: str = "project", *, model: str = MODEL, archive: str = "archive", rules: PromotionRules | None = None
) -> RegisterProject:
    return RegisterProject(
        command_id=command_id,
        at=NOW,
        actor="a person",
        reason="up",
        project=model,
        stream=model,
        model=model,
        archive=digest(archive),
        schema_fingerprint=digest("schema"),
        promotion=rules or PromotionRules(),
    )


def register_version(
    request_id: str, *, command_id: str | None = None, manifest: str | None = None, model: str = MODEL, against: int | None = None
) -> RegisterVersion:
    return RegisterVersion(
        command_id=command_id or f"register-{request_id}",
        at=NOW,
        actor="registry",
        reason="training completed",
        model=model,
        request_id=request_id,
        manifest=digest(manifest or f"manifest of {request_id}"),
        pins=pins(against=against),
    )


def refuse_run(request_id: str = "r1", *, command_id: str | None = None, problem: str = "the store holds no manifest") -> RefuseRun:
    return RefuseRun(
        command_id=command_id or f"register-{request_id}",
        at=NOW,
        actor="registry",
        reason="training completed",
        model=MODEL,
        request_id=request_id,
        manifest=digest(f"manifest of {request_id}"),
        problem=problem,
    )


def promote(
    request_id: str,
    *,
    epoch: int,
    measured: GateMeasurements | None = None,
    command_id: str | None = None,
    model: str = MODEL,
    at: datetime = NOW,
) -> PromoteVersion:
    return PromoteVersion(
        command_id=command_id or f"promote-{request_id}",
        at=at,
        actor="registry",
        reason="training completed",
        model=model,
        request_id=request_id,
        expected_epoch=epoch,
        measurements=measured,
    )


def move_alias(version: int, *, epoch: int, command_id: str, alias: str = "champion", model: str = MODEL, at: datetime = NOW) -> MoveAlias:
    return MoveAlias(
        command_id=command_id, at=at, actor="a person", reason="roll back", model=model, alias=alias, version=version, expected_epoch=epoch
    )


def approve(version: int, *, command_id: str = "approve", model: str = MODEL) -> ApproveVersion:
    return ApproveVersion(command_id=command_id, at=NOW, actor="ada", reason="it holds", model=model, version=version)


def reject(version: int, *, command_id: str = "reject", model: str = MODEL) -> RejectVersion:
    return RejectVersion(command_id=command_id, at=NOW, actor="ada", reason="a broken sensor", model=model, version=version)


def delete(version: int, *, command_id: str = "delete", model: str = MODEL) -> DeleteVersion:
    return DeleteVersion(command_id=command_id, at=NOW, actor="ada", reason="withdrawn rows", model=model, version=version)


def pins(epoch: int = 0, against: int | None = None) -> TrainingPins:
    return TrainingPins(
        snapshot=digest("snapshot"),
        project=digest("archive"),
        environment=digest("environment"),
        code="0.1.0",
        seed=0,
        threads=2,
        evaluation_window=WINDOW,
        champion_version=against,
        champion_epoch=epoch,
    )


def measured(*, against: int, rows: int = 1000, gain_lower: float = 0.01) -> GateMeasurements:
    return GateMeasurements(
        window=WINDOW,
        metric="roc_auc",
        rows=rows,
        candidate=0.72,
        champion=0.70,
        gain=0.02,
        gain_lower=gain_lower,
        confidence=0.8,
        champion_version=against,
    )


def folded(*commands: Command) -> tuple[RegistryState, list[Outcome]]:
    """The state after these commands, at offsets 0, 1, 2 …, and their outcomes."""
    state, outcomes = RegistryState(), []
    for offset, command in enumerate(commands):
        state, outcome = fold(state, command, offset)
        outcomes.append(outcome)
    return state, outcomes
