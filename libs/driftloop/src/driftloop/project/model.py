"""What a checked project is."""

import hashlib
import io
import zipfile
from datetime import timedelta
from typing import Annotated, Literal

import msgspec

from driftloop.contracts import topics
from driftloop.contracts.answers import Answers
from driftloop.contracts.existing_topics import ExistingTopics, TopicMapping
from driftloop.contracts.names import Name
from driftloop.contracts.notify_rules import NotifyRule
from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.topics import FOREVER
from driftloop.contracts.values import Part, PromotionRules
from driftloop.contracts.windows import CLOCK_SKEW, WindowPlan
from driftloop.project.alarm_budget import AlarmBudget, alarm_budget
from driftloop.project.libraries import imported_libraries
from driftloop.project.rules import BacktestData, Monitoring, Policy
from driftloop.statistics.metrics import TaskMetric, for_task

CONFIG_FILE = "driftloop.toml"
PIPELINE_FILE = "pipeline.py"
ALL = "all"  # the recipe that fits on everything


# wall: event times are at or before the time at which rows come, but for a skew; they may be as old as they like.
# replay: they are those of another clock, and may lie ahead of it.
Clock = Literal["wall", "replay"]


# elsewhere: another system answers, and driftloop watches, until one of its own versions is made champion.
Server = Literal["driftloop", "elsewhere"]


class Training(Part, frozen=True, kw_only=True):
    """Which recipes compete (``project.recipes``), and what makes a run repeatable."""

    # The second is for pipelines that take no weights; its fit is the first one's member. The third is for a world that has changed, the
    # last for one that has just changed.
    candidates: tuple[str, ...] = ("mean:[all, all+time, decay:4]", ALL, "all+time", "newest+time")
    margin: float = 0.01  # in units of the metric, by which another recipe must beat the first
    seed: int = 0
    threads: Annotated[int, msgspec.Meta(ge=1)] = 2
    timeout: str = "1h"
    trusted_types: tuple[str, ...] = ()  # custom classes that skops may load


class Promotion(PromotionRules, frozen=True, kw_only=True):
    """The registry's rules, plus the confidence that the trainer measures with, and how far a predicted number has to move to be another
    answer (``max_churn``), in standard deviations of the labels."""

    promotion_worth: float = 0.01  # in units of the metric times windows: a hundredth over one window, a thousandth over ten
    confidence: float = 0.8
    moved: Annotated[float, msgspec.Meta(ge=0)] = 0.1
    recalibrate: bool = True  # runs propose corrections of the champion's answers
    shadow_evidence: bool = False  # what a challenger's answers came to is put to the gate, too


class Serving(Part, frozen=True, kw_only=True):
    """``environment``: what a predictor does with a champion that was fitted in another one than its own (``training.parity``).

    ``shadow``: who answers beside the champion: the version that somebody names, or, until somebody does, the newest candidate that
    did not become champion.
    """

    environment: Literal["warn", "refuse"] = "warn"
    shadow: Literal["named", "candidates"] = "named"


class Project(Part, frozen=True, kw_only=True):
    """A checked project. ``files`` are what its archive holds, by relative name."""

    name: Name
    model: Name
    schema: StreamSchema
    metric: str  # a name that `statistics.metrics` has for the target's task
    split_key: str
    split_salt: str
    allowed_lateness: timedelta
    windows: WindowPlan
    monitoring: Monitoring
    policy: Policy
    training: Training
    promotion: Promotion
    serving: Serving = Serving()
    backtest: BacktestData = BacktestData()
    clock: Clock = "wall"
    served_by: Server = "driftloop"
    answers: Answers = Answers()  # of a model that is served elsewhere
    retention: timedelta | None = timedelta(days=30)  # of the stream's topics; None: for ever
    requests: TopicMapping | None = None  # the topic that they are on, if it is not ours
    labels: TopicMapping | None = None
    notify: tuple[NotifyRule, ...] = ()  # who is told what
    files: dict[str, bytes]
    foreign_archive: bytes | None = None  # that it was read from, if it is not the one that ``archive`` makes of the files

    @property
    def ahead(self) -> timedelta | None:
        """How far event times and watermarks may lie beyond the wall clock; None: however far."""
        return CLOCK_SKEW if self.clock == "wall" else None

    @property
    def stream(self) -> str:
        return self.schema.stream

    @property
    def existing(self) -> ExistingTopics:
        """Those of the stream's topics that are not ours."""
        return ExistingTopics(
            requests=self.requests.topic if self.requests is not None else None,
            labels=self.labels.topic if self.labels is not None else None,
        )

    @property
    def requests_topic(self) -> str:
        return self.existing.requests or topics.requests(self.stream)

    @property
    def labels_topic(self) -> str:
        return self.existing.labels or topics.labels(self.stream)

    @property
    def retention_ms(self) -> int:
        return FOREVER if self.retention is None else self.retention // timedelta(milliseconds=1)

    @property
    def environment_types(self) -> tuple[str, ...]:
        """Types whose packages are part of the environment that a version is made and scored in: the trusted ones, and those of the
        libraries of estimators that the project imports, by a name that stands for all of a library's."""
        return (*self.training.trusted_types, *(f"{library}.*" for library in imported_libraries(self.files)))

    @property
    def task_metric(self) -> TaskMetric:
        """The metric on rows of this project."""
        return for_task(self.metric, self.schema.target.task)

    @property
    def alarm_budget(self) -> AlarmBudget:
        """False alarms that its monitoring may give."""
        return alarm_budget(self.monitoring.false_alarms, self.windows)

    def archive(self) -> bytes:
        """The archive it was read from; for a folder a zip whose bytes depend on the files' names and contents only."""
        if self.foreign_archive is not None:
            return self.foreign_archive
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            for name in sorted(self.files):
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), self.files[name])
        return out.getvalue()

    def digest(self) -> str:
        """sha256 of the archive, hex."""
        return hashlib.sha256(self.archive()).hexdigest()


def archive_key(project: str, digest: str) -> str:
    return f"projects/{project}/{digest}.zip"
