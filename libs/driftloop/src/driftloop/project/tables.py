"""``driftloop.toml`` as it is written: its tables, and what they are without a word."""

from datetime import datetime
from typing import Annotated

import msgspec

from driftloop.contracts.answers import Answers
from driftloop.contracts.column_types import FeatureType, TargetType
from driftloop.contracts.existing_topics import Format, TimeFormat
from driftloop.contracts.names import Name
from driftloop.contracts.notify_rules import NotifyRule
from driftloop.project.model import Clock, Promotion, Server, Serving, Training
from driftloop.project.rules import BacktestData, Monitoring, Policy


class ProjectTable(msgspec.Struct, forbid_unknown_fields=True):
    name: Name
    model: Name
    served_by: Server = "driftloop"


class RequestsTable(msgspec.Struct, forbid_unknown_fields=True):
    """A topic of somebody else's that holds the requests; each setting but the first two says where in a record something is."""

    topic: str
    format: Format
    event_id: str
    event_time: str
    entity: str | None = None
    time_format: TimeFormat | None = None


class LabelsTable(msgspec.Struct, forbid_unknown_fields=True):
    """The same of the labels."""

    topic: str
    format: Format
    event_id: str
    event_time: str
    label: str
    label_time: str | None = None
    time_format: TimeFormat | None = None


class StreamTable(msgspec.Struct, forbid_unknown_fields=True):
    name: Name
    split_key: str = "entity"
    split_salt: str = "driftloop"
    allowed_lateness: str = "0s"
    version: Annotated[int, msgspec.Meta(ge=1)] = 1
    clock: Clock = "wall"
    retention: str = "30d"
    requests: RequestsTable | None = None
    labels: LabelsTable | None = None


class FeatureTable(msgspec.Struct, forbid_unknown_fields=True):
    type: FeatureType
    required: bool = True
    parts: list[str] | None = None
    path: str | None = None  # with [stream.requests], as all below: where in a record it is; null: a field of its name
    scale: float | None = None
    offset: float | None = None
    time_format: TimeFormat | None = None


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
    notify: tuple[NotifyRule, ...] = ()
