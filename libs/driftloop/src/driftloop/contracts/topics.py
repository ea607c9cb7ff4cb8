"""The table of topics. Creation, checks at start, docs and the AsyncAPI file come from it."""

from typing import Literal

from driftloop.contracts.existing_topics import OURS, ExistingTopics
from driftloop.contracts.values import Part

MIB = 1024 * 1024
DAY_MS = 86_400_000
FOREVER = -1
DEFAULT_PARTITIONS = 4

DATASET_VERSIONS = "dataset-versions"
WINDOW_SKETCHES = "window-sketches"
DRIFT_REPORTS = "drift-reports"
INCIDENTS = "incidents"
PERFORMANCE_REPORTS = "performance-reports"
DECISIONS = "decisions"
RETRAIN_REQUESTS = "retrain-requests"
TRAINING_RUNS = "training-runs"
REGISTRY_LOG = "registry-log"
REPRODUCTIONS = "reproductions"
VERSIONS_SEEN = "versions-seen"
NOTIFICATIONS = "notifications"
REDRIVES = "redrives"

FOLDS, ASSEMBLIES = "folds", "boards"  # the monitor's tables, as their changelogs are called


class Topic(Part, frozen=True, kw_only=True):
    """One topic: its settings, its key, what it carries and between whom."""

    name: str
    partitions: int
    key: str
    carries: str
    written_by: tuple[str, ...]
    read_by: tuple[str, ...]
    plane: Literal["data", "control"]
    retention_ms: int = 30 * DAY_MS
    max_message_bytes: int = MIB
    uncompressed: bool = False  # as the broker keeps it, whatever the producer does
    append_time: bool = False  # records have the broker's time, whatever the producer says
    events: tuple[str, ...] = ()  # CloudEvents types, on the control plane
    existing: bool = False  # somebody else's: never made, set or deleted here

    @property
    def config(self) -> dict[str, str]:
        """The settings that the broker must show; a contradiction stops a service at start."""
        settings = {
            "cleanup.policy": "delete",
            "retention.ms": str(self.retention_ms),
            "max.message.bytes": str(self.max_message_bytes),
        }
        if self.uncompressed:
            # The broker inflates what strangers send and compares that with max.message.bytes: every codec, and no bomb.
            settings["compression.type"] = "uncompressed"
        if self.append_time:
            # By the producer's time retention would delete a back-fill before it is read, and keep a wrong clock's for ever.
            settings["message.timestamp.type"] = "LogAppendTime"
        return settings


def requests(stream: str) -> str:
    return f"{stream}.requests"


def inferences(stream: str) -> str:
    return f"{stream}.inferences"


def labels(stream: str) -> str:
    return f"{stream}.labels"


def quarantine(stream: str) -> str:
    return f"{stream}.quarantine"


def changelog(stream: str, table: str) -> str:
    """The topic that a table of the monitor lives in, by the name that faust gives it."""
    return f"monitor-{stream}-{table}-changelog"


def stream_topics(
    stream: str, partitions: int = DEFAULT_PARTITIONS, retention_ms: int = 30 * DAY_MS, existing: ExistingTopics = OURS
) -> tuple[Topic, ...]:
    """The four topics of one stream; ``existing``: which of them are somebody else's."""
    return (
        Topic(
            name=existing.requests or requests(stream),
            existing=existing.requests is not None,
            partitions=partitions,
            key="entity",
            carries="feature rows as JSON or Arrow; watermarks",
            written_by=("applications", "console"),  # the console what was rejected, once more
            read_by=("predictor", "console") if existing.requests is None else ("predictor",),
            plane="data",
            retention_ms=retention_ms,
            append_time=True,
            max_message_bytes=4 * MIB,
            uncompressed=True,
        ),
        Topic(
            name=inferences(stream),
            partitions=partitions,
            key="none: same partition as its requests",
            carries="Arrow: features, prediction, score, of several classes their probabilities, model version, request offset; watermarks",
            written_by=("predictor",),
            read_by=("ingest", "monitor", "predictor"),  # the last one its own, to find its place again
            plane="data",
            retention_ms=retention_ms,
            append_time=True,
            max_message_bytes=8 * MIB,
        ),
        Topic(
            name=existing.labels or labels(stream),
            existing=existing.labels is not None,
            partitions=partitions,
            key="event id",
            carries="ground truth with the event's id and time; late, possibly corrected; watermarks",
            written_by=("applications", "console"),
            read_by=("ingest", "console") if existing.labels is None else ("ingest",),
            plane="data",
            retention_ms=retention_ms,
            append_time=True,
            max_message_bytes=4 * MIB,
            uncompressed=True,
        ),
        Topic(
            name=quarantine(stream),
            partitions=partitions,
            key="the rejected message's",
            carries="original bytes, key and headers with reason and origin",
            written_by=("predictor", "ingest", "monitor"),
            read_by=("people", "console"),
            plane="data",
            retention_ms=retention_ms,
            append_time=True,
            max_message_bytes=8 * MIB,
        ),
    )


CONTROL_TOPICS: tuple[Topic, ...] = (
    Topic(
        name=DATASET_VERSIONS,
        partitions=4,
        key="stream",
        carries="a commit of the lake",
        written_by=("ingest",),
        read_by=("monitor", "console"),
        plane="control",
        events=("driftloop.lake-committed.v1",),
    ),
    Topic(
        name=WINDOW_SKETCHES,
        partitions=4,
        key="stream",
        carries="one partition's counts of one closed window, all model versions",
        written_by=("monitor",),
        read_by=("monitor",),
        plane="control",
        max_message_bytes=8 * MIB,
        events=("driftloop.window-sketched.v1",),
    ),
    Topic(
        name=DRIFT_REPORTS,
        partitions=4,
        key="model",
        carries="a closed window's distances, also when calm; corrected as late rows land",
        written_by=("monitor",),
        read_by=("console", "CLI"),
        plane="control",
        events=("driftloop.drift-reported.v1",),
    ),
    Topic(
        name=INCIDENTS,
        partitions=4,
        key="model",
        carries="windows in a row that drifted in columns that they share: opened, changed, closed",
        written_by=("monitor",),
        read_by=("console", "CLI", "notifier"),
        plane="control",
        retention_ms=FOREVER,
        events=("driftloop.incident-reported.v1",),
    ),
    Topic(
        name=PERFORMANCE_REPORTS,
        partitions=4,
        key="model",
        carries="a window's metric, label coverage and delay; corrected as labels land; once a window, what a challenger came to",
        written_by=("monitor",),
        read_by=("monitor", "registry", "console", "CLI"),
        plane="control",
        events=("driftloop.performance-reported.v1", "driftloop.challenger-measured.v1", "driftloop.canary-measured.v1"),
    ),
    Topic(
        name=DECISIONS,
        partitions=4,
        key="model",
        carries="every decision with its evidence: retrain or not, promote or not",
        written_by=("monitor", "registry"),
        read_by=("monitor", "console", "CLI"),
        plane="control",
        retention_ms=FOREVER,
        events=("driftloop.decision-made.v1",),
    ),
    Topic(
        name=RETRAIN_REQUESTS,
        partitions=4,
        key="model",
        carries="reason, evidence, cause",
        written_by=("monitor", "CLI", "CI", "schedule"),
        read_by=("trainer", "monitor", "console"),
        plane="control",
        retention_ms=FOREVER,
        events=("driftloop.retrain-requested.v1",),
    ),
    Topic(
        name=TRAINING_RUNS,
        partitions=4,
        key="model",
        carries="started with its pins, completed, failed",
        written_by=("trainer",),
        read_by=("registry", "monitor", "trainer", "console", "notifier"),
        plane="control",
        retention_ms=FOREVER,
        events=("driftloop.training-started.v1", "driftloop.training-completed.v1", "driftloop.training-failed.v1"),
    ),
    Topic(
        name=VERSIONS_SEEN,
        partitions=4,
        key="model",
        carries="a version that is served elsewhere, when traffic names it first",
        written_by=("predictor",),
        read_by=("registry",),
        plane="control",
        events=("driftloop.version-seen.v1",),
    ),
    Topic(
        name=REPRODUCTIONS,
        partitions=4,
        key="model",
        carries="a version that an audit rebuilt: which level matched and what differed",
        written_by=("CLI", "CI"),
        read_by=("console", "CLI"),
        plane="control",
        retention_ms=FOREVER,
        events=("driftloop.version-reproduced.v1",),
    ),
    Topic(
        name=NOTIFICATIONS,
        partitions=1,  # what is asked for, what is due and what became of it, in one order
        key="project",
        carries="messages to people: due, arrived, given up; what somebody asked to be sent",
        written_by=("notifier", "CLI"),
        read_by=("notifier", "CLI"),
        plane="control",
        retention_ms=FOREVER,
        events=(
            "driftloop.notification-rule-seen.v1",
            "driftloop.notification-due.v1",
            "driftloop.notification-settled.v1",
            "driftloop.notification-asked.v1",
        ),
    ),
    Topic(
        name=REDRIVES,
        partitions=4,
        key="stream",
        carries="rejected messages that were sent again: who, why, from where, to where; and which run is at it",
        written_by=("console", "CLI"),
        read_by=("console", "CLI"),
        plane="control",
        retention_ms=FOREVER,
        events=("driftloop.redrive-started.v1", "driftloop.messages-redriven.v1", "driftloop.redrive-ended.v1"),
    ),
    Topic(
        name=REGISTRY_LOG,
        partitions=1,  # the registry must see all commands in one order
        key="none",
        carries="commands: register project, register or watch version, refuse run, promote, move alias or canary, recalibrate, approve …",
        written_by=("registry",),
        read_by=("registry", "ingest", "predictor", "trainer", "monitor", "console", "notifier"),
        plane="control",
        retention_ms=FOREVER,
        events=(
            "driftloop.register-project.v1",
            "driftloop.register-version.v1",
            "driftloop.watch-version.v1",
            "driftloop.refuse-run.v1",
            "driftloop.promote-version.v1",
            "driftloop.move-alias.v1",
            "driftloop.recalibrate.v1",
            "driftloop.move-canary.v1",
            "driftloop.approve-version.v1",
            "driftloop.reject-version.v1",
            "driftloop.delete-version.v1",
        ),
    ),
)
