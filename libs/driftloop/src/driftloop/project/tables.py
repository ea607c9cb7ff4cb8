"""``driftloop.toml`` as it is written: its tables, and what they are without a word."""

from datetime import datetime
from typing import Annotated

import msgspec

from driftloop.contracts.answers import Answers
from driftloop.contracts.column_types import FeatureType, TargetType
from driftloop.contracts.names import Name
from driftloop.project.model import Clock, Promotion, Server, Serving, Training
from driftloop.project.rules import BacktestData, Monitoring, Policy


class ProjectTable(msgspec.Struct, forbid_unknown_fields=True):
    name: Name
    model: Name
    served_by: Server = "driftloop"


class StreamTable(msgspec.Struct, forbid_unknown_fields=True):
    name: Name
    split_key: str = "entity"
    split_salt: str = "driftloop"
    allowed_lateness: str = "0s"
    version: Annotated[int, msgspec.Meta(ge=1)] = 1
    clock: Clock = "wall"
    retention: str = "30d"


class FeatureTable(msgspec.Struct, forbid_unknown_fields=True):
    type: FeatureType
    required: bool = True
    parts: list[str] | None = None


class TargetTable(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    type: TargetType
    metric: str


class WindowsTable(msgspec.Struct, forbid_unknown_fields=True):
    every: str | None = None
    cuts: list[datetime] | None = None


class ProjectFile(msgspec.Struct, forbid_unknown_fields=True):
    project: ProjectTable
    stream: StreamTable
    features: dict[str, FeatureType | FeatureTable]
    target: TargetTable
    windows: WindowsTable
    monitoring: Monitoring = Monitoring()
    policy: Policy = Policy()
    training: Training = Training()
    promotion: Promotion = Promotion()
    serving: Serving = Serving()
    backtest: BacktestData = BacktestData()
    answers: Answers = Answers()
