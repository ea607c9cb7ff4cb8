"""What a project declares about watching and retraining."""

from typing import Annotated, Literal

import msgspec

from driftloop.contracts.values import Part
from driftloop.statistics.distances import STATISTICS


def default_thresholds() -> dict[str, float]:
    return {row.name: row.threshold for row in STATISTICS.values() if row.threshold is not None}


SHARES = ("missing", "unseen")  # constants of ``Monitoring`` that are no statistic's


class Monitoring(Part, frozen=True, kw_only=True):
    """When a window has drifted; ``bins`` per numeric feature.

    By thresholds that each version's training calibrates, so that ``false_alarms`` (null: ``alarm_budget.DEFAULT``) are kept; by the
    constants below in a project that writes any of them out, and for versions that were trained before there was calibration.

    ``thresholds``: by statistic, each a key of the table ``[monitoring]`` like the others. ``stated``: the constants that were
    written out, statistics and shares. ``season``: of training rows that reach back a year, those of so long from a year before
    their end on are what windows are compared with.
    """

    bins: Annotated[int, msgspec.Meta(ge=2, le=64)] = 64
    thresholds: dict[str, float] = msgspec.field(default_factory=default_thresholds)
    missing: float = 0.1  # rise of the missing share over the profile's
    unseen: float = 0.05
    segments: tuple[str, ...] = ()  # category features that performance is told by
    false_alarms: str | None = None  # such as "1 per 90d"
    loss_alarm: Annotated[float, msgspec.Meta(gt=0, le=0.5)] = 0.05  # of versions whose loss never rises, how many are ever alarmed
    loss_tolerance: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0  # by which the loss may lie above its reference
    season: str | None = None  # null: windows are compared with all training rows
    stated: tuple[str, ...] = ()

    @property
    def constant(self) -> bool:
        """Whether windows are judged by constants, whatever was calibrated."""
        return bool(self.stated)


class Policy(Part, frozen=True, kw_only=True):
    """When to retrain. Cooldown and period are event time; every trigger is looked at when a window closes.

    The trigger ``schedule``: a moment of ``schedule``, an interval or a cron expression in UTC, has passed since the last attempt, by
    ``schedule_time``. The trigger ``labels``: ``new_labels`` labelled rows have landed since. ``dry_run``: everything is
    decided and told, and nothing is asked for.

    ``budget`` null: as many attempts per period as ``monitoring.budget`` gives windows of that length; ``budget_burst`` of them
    without waiting (null: all of a stated budget), the last ``budget_kept`` of these for drift and performance alone.
    """

    triggers: tuple[Literal["window", "drift", "performance", "schedule", "labels"], ...] = ("window",)
    min_new_labels: Annotated[int, msgspec.Meta(ge=1)] = 200
    drift_k: int = 2  # k of the last n closed windows drifted
    drift_n: int = 3
    cooldown: str = "0s"
    budget: Annotated[int, msgspec.Meta(ge=1)] | None = None  # runs per budget_period
    budget_period: str = "365d"
    budget_burst: Annotated[int, msgspec.Meta(ge=1)] | None = None
    budget_kept: Annotated[int, msgspec.Meta(ge=0)] | None = None
    schedule: str | None = None
    schedule_time: Literal["event", "wall"] = "event"
    new_labels: Annotated[int, msgspec.Meta(ge=1)] | None = None
    dry_run: bool = False


class BacktestData(Part, frozen=True, kw_only=True):
    """Where a backtest or a replay finds the project's rows, and how the file calls what the stream has.

    ``label`` null: the column called like the target, else ``label``. ``event_id`` null: rows are numbered; ``entity`` empty: each row
    is its own, several columns are joined. ``event_time``: a column of times or dates, or columns of year, month and, maybe, day;
    ``timezone``: of times without one; ``time_format``: how text is a time, as strptime says it, or ``unix``, ``unix_ms``, null:
    ISO 8601. ``label_time``: the column that says when a label became known. ``columns``: how the file calls features, where it
    calls them otherwise; ``missing``: text that stands for a missing value. ``windows``: so many with equally many labelled rows
    each; null: those of the project. ``first``: windows that the first version is fitted on.
    """

    data: str | None = None  # a file, relative to the project's folder
    event_time: str | tuple[str, ...] = "event_time"
    label: str | None = None
    event_id: str | None = None
    entity: tuple[str, ...] = ()
    timezone: str = "UTC"
    time_format: str | None = None
    label_time: str | None = None
    columns: dict[str, str] = msgspec.field(default_factory=dict)
    missing: tuple[str, ...] = ()
    windows: Annotated[int, msgspec.Meta(ge=2, le=10_000)] | None = None
    first: Annotated[int, msgspec.Meta(ge=1)] = 2
