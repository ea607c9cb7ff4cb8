"""What a project declares about watching and retraining."""

from typing import Annotated, Literal

import msgspec

from driftloop.contracts.values import Part
from driftloop.statistics.distances import STATISTICS


def default_thresholds() -> dict[str, float]:
    return {row.name: row.threshold for row in STATISTICS.values() if row.threshold is not None}


class Monitoring(Part, frozen=True, kw_only=True):
    """Constant thresholds on effect sizes, until they are calibrated per model; ``bins`` per numeric feature.

    ``thresholds``: by statistic, each a key of the table ``[monitoring]`` like the others.
    """

    bins: Annotated[int, msgspec.Meta(ge=2, le=64)] = 64
    thresholds: dict[str, float] = msgspec.field(default_factory=default_thresholds)
    missing: float = 0.1  # rise of the missing share over the profile's
    unseen: float = 0.05
    loss_alarm: Annotated[float, msgspec.Meta(gt=0, le=0.5)] = 0.05  # of versions whose loss never rises, how many are ever alarmed
    loss_tolerance: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0  # by which the loss may lie above its reference


class Policy(Part, frozen=True, kw_only=True):
    """When to retrain. Cooldown and period are event time.

    ``budget`` null: as many attempts per period as ``monitoring.budget`` gives windows of that length; ``budget_burst`` of them
    without waiting (null: all of a stated budget), the last ``budget_kept`` of these for drift and performance alone.
    """

    triggers: tuple[Literal["window", "drift", "performance"], ...] = ("window",)
    min_new_labels: Annotated[int, msgspec.Meta(ge=1)] = 200
    drift_k: int = 2  # k of the last n closed windows drifted
    drift_n: int = 3
    cooldown: str = "0s"
    budget: Annotated[int, msgspec.Meta(ge=1)] | None = None  # runs per budget_period
    budget_period: str = "365d"
    budget_burst: Annotated[int, msgspec.Meta(ge=1)] | None = None
    budget_kept: Annotated[int, msgspec.Meta(ge=0)] | None = None
