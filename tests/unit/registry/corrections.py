"""Recalibrations as a person and as a run ask for them, for tests of the registry."""

from datetime import datetime

from tests.unit.registry.commands import MODEL, NOW, WINDOW, register_project

from driftloop.contracts.column_types import TargetType
from driftloop.contracts.commands import Recalibrate, RegisterProject
from driftloop.contracts.recalibration import Recalibration, RecalibrationProposal
from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.contracts.values import PromotionRules

LOGIT = Recalibration(kind="logit", strength=1.0, intercept=0.2, slope=0.9)
HALF = Recalibration(kind="logit", strength=0.5, intercept=0.1, slope=0.95)


def project(command_id: str = "project", *, rules: PromotionRules | None = None, target: TargetType = "boolean") -> RegisterProject:
    """Whose stream is known to predict a boolean."""
    schema = StreamSchema(stream=MODEL, features=(Feature(name="x", type="number"),), target=Target(name="y", type=target))
    plain = register_project(command_id, rules=rules)
    return RegisterProject(**{name: getattr(plain, name) for name in plain.__struct_fields__} | {"stream_schema": schema})


def recalibrate(
    recalibration: Recalibration | None = LOGIT,
    *,
    command_id: str = "recalibrate",
    version: int = 1,
    champion_epoch: int = 1,
    epoch: int = 0,
    proposal: RecalibrationProposal | None = None,
    request_id: str | None = None,
    model: str = MODEL,
    at: datetime = NOW,
) -> Recalibrate:
    return Recalibrate(
        command_id=command_id,
        at=at,
        actor="ada" if proposal is None else "registry",
        reason="it overestimates" if proposal is None else "training completed",
        model=model,
        version=version,
        champion_epoch=champion_epoch,
        expected_epoch=epoch,
        recalibration=recalibration,
        proposal=proposal,
        request_id=request_id,
    )


def proposal(
    recalibration: Recalibration | None = LOGIT,
    *,
    of: str = "champion",
    gain_lower: float | None = 0.01,
    judged_rows: int = 1000,
    full: Recalibration = LOGIT,
) -> RecalibrationProposal:
    return RecalibrationProposal(
        of="champion" if of == "champion" else "candidate",
        recalibration=recalibration,
        full=full,
        window=WINDOW,
        rows=1000,
        metric="log_loss",
        gain=None if gain_lower is None else 0.02,
        gain_lower=gain_lower,
        judged_window=WINDOW,
        judged_rows=judged_rows,
    )
