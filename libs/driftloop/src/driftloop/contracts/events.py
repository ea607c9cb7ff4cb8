"""The facts on the control plane, one frozen type each, past tense. Golden examples in ``examples/`` decode for ever."""

from typing import Any, ClassVar, Literal, get_args

import msgspec

from driftloop.contracts.canary import CanaryWindow
from driftloop.contracts.candidates import CandidateResult
from driftloop.contracts.challengers import ChallengerReport
from driftloop.contracts.names import Digest
from driftloop.contracts.recalibration import RecalibrationProposal
from driftloop.contracts.values import (
    Count,
    Difference,
    DriftVerdict,
    Estimate,
    FeatureDrift,
    GateMeasurements,
    Interval,
    LossMean,
    ModelName,
    Offset,
    OffsetRange,
    PartitionSketch,
    RedrivenMessage,
    RowCount,
    SegmentPerformance,
    StreamName,
    Time,
    TopicReach,
    TrainingPins,
    Window,
    WindowAnswer,
)

Table = Literal["inferences", "labels"]
TABLES: tuple[Table, ...] = get_args(Table)
ReproductionLevel = Literal["bytes", "predictions", "metrics", "none"]
RetrainReason = Literal["bootstrap", "window", "drift", "performance", "schedule", "new-data", "code-change", "manual"]

IncidentState = Literal["opened", "changed", "closed"]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all facts. ``TYPE`` is the CloudEvents type: it never changes; a new shape is a new type."""

    TYPE: ClassVar[str]


class LakeCommitted(Event, frozen=True, kw_only=True):
    """Rows of one stream's table became part of the lake."""

    TYPE: ClassVar[str] = "driftloop.lake-committed.v1"
    stream: StreamName
    table: Table
    version: int  # of the Delta table
    rows: int
    ranges: tuple[OffsetRange, ...]
    event_time_min: Time | None  # null when the commit only moved cursors or watermarks
    event_time_max: Time | None
    watermarks: dict[str, Time] = {}  # by partition, as known after this commit


class WindowSketched(Event, frozen=True, kw_only=True):
    """One partition's counts of one closed window. A later one for the same window and partition replaces it."""

    TYPE: ClassVar[str] = "driftloop.window-sketched.v1"
    stream: StreamName
    window: Window
    partition: Count
    partitions: Count  # of the topic, so that the reader knows when all are there
    closing_offset: Offset  # rows of `inferences` below it are counted
    rows: Count  # all rows of the window, scored or not
    late_rows: Count
    sketches: tuple[PartitionSketch, ...]
    topic_id: str | None = None  # of `inferences`: made anew, its offsets begin again; null in events of before


class DriftReported(Event, frozen=True, kw_only=True):
    """A closed window was compared with the profile of the version that scored it; also when calm.

    ``drifted`` is what ``verdict`` says, which is null in events of before it was added, and where nothing was compared. ``distance``:
    the largest of the columns that are judged, that of ``column``. ``threshold``: above which the window has drifted, for its
    ``rows``, so that no more than ``alpha`` of windows without drift do (``false_alarms``); null where constants judge, which
    ``thresholds`` has then, and of an uncalibrated window, of which ``because`` says why. ``repeated``: whether it is one of
    the policy's k of the last n windows, by a threshold of its own, which that event is calibrated for; null: as ``drifted``.
    ``reference_windows``: how many windows the profile's rows are of.
    """

    TYPE: ClassVar[str] = "driftloop.drift-reported.v1"
    model: ModelName
    stream: StreamName
    version: int | None  # null: the window was not scored, so there is no reference
    profile: Digest | None  # null without a version, and where its profile is lost: then nothing was compared
    window: Window
    revision: int  # 0 first, then one more for each correction
    rows: int
    late_rows: int
    closing_offsets: dict[str, int]  # by partition
    features: dict[str, FeatureDrift]
    score: FeatureDrift | None
    drifted: bool
    thresholds: dict[str, float]
    verdict: DriftVerdict | None = None
    distance: float | None = None
    column: str | None = None
    threshold: float | None = None
    repeated: bool | None = None
    repeated_threshold: float | None = None
    false_alarms: str | None = None
    alpha: float | None = None
    reference_windows: int | None = None
    because: str | None = None


class IncidentReported(Event, frozen=True, kw_only=True):
    """Windows in a row drifted, in columns that they share: an incident was opened, went on, or was closed. The newest event of one stands.

    ``window``: whose report told it. ``columns``: the largest distance of each that drifted, of the twenty furthest; ``severity``: the
    largest of all, in [0, 1]. ``windows`` 0: late rows have taken it back.
    """

    TYPE: ClassVar[str] = "driftloop.incident-reported.v1"
    model: ModelName
    stream: StreamName
    incident: str
    state: IncidentState
    start: Time  # of its first window
    end: Time  # of its last one that drifted
    windows: Count
    columns: dict[str, float]
    severity: float
    version: int | None  # that was compared when it was opened
    window: Window


class PerformanceReported(Event, frozen=True, kw_only=True):
    """A window's predictions were measured against the labels known by then."""

    TYPE: ClassVar[str] = "driftloop.performance-reported.v1"
    model: ModelName
    stream: StreamName
    version: int | None  # null: all versions of the window together
    window: Window
    revision: Count
    metric: str
    measured: Interval | None  # null: too few labels
    rows: RowCount
    labelled: RowCount
    coverage: float
    median_label_delay_seconds: float | None
    inferences_version: int  # Delta versions that were read
    labels_version: int

    # Of the labelled rows, those that have class probabilities; only told of a metric that is computed from them.
    measured_rows: int | msgspec.UnsetType = msgspec.UNSET
    # Labels whose event lies in the window by their own word, and has no inference there; only told of all versions together.
    labels_without_inference: int | msgspec.UnsetType = msgspec.UNSET
    # What the version lost on the labelled rows; only told of one version, where it is defined.
    loss: LossMean | msgspec.UnsetType = msgspec.UNSET
    # What the metric is to be expected to be, while labels are missing; only told of one version, where that can be said.
    estimate: Estimate | msgspec.UnsetType = msgspec.UNSET
    # By the categories of the features that the project declares as segments; only told where it does.
    segments: tuple[SegmentPerformance, ...] | msgspec.UnsetType = msgspec.UNSET
    # By what was known when this was told; only of the version that scored most rows of a window that is compared with a profile.
    answer: WindowAnswer | msgspec.UnsetType = msgspec.UNSET
    # What challengers answered for the same rows; only told of all versions together, where there was one.
    challengers: tuple[ChallengerReport, ...] | msgspec.UnsetType = msgspec.UNSET
    # What a canary's answers lost beside the champion's; only told of all versions together, where there was one.
    canary: tuple[CanaryWindow, ...] | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        if self.labelled > self.rows:
            raise ValueError(f"{self.labelled} of {self.rows} rows are labelled")


class ChallengerMeasured(Event, frozen=True, kw_only=True):
    """A window's labels are known: what a challenger, which had answered for its rows before they were, came to beside the champion.

    Told once a window. ``measurements`` are such as the gate judges; neither version was fitted on any of the rows.
    """

    TYPE: ClassVar[str] = "driftloop.challenger-measured.v1"
    model: ModelName
    stream: StreamName
    version: Count  # the challenger
    measurements: GateMeasurements


class CanaryMeasured(Event, frozen=True, kw_only=True):
    """A window's labels are known: what a canary's answers lost beside the champion's, in it and in the windows before.

    Told once a window. ``epoch``: of the canary's newest record then. ``windows``: oldest first. ``alpha``: the share of canaries that do
    no harm which may be stepped back; ``tolerance``: how much more loss is fine.
    """

    TYPE: ClassVar[str] = "driftloop.canary-measured.v1"
    model: ModelName
    stream: StreamName
    version: Count  # the canary
    epoch: Count
    window: Window
    windows: tuple[CanaryWindow, ...]
    alpha: float
    tolerance: float


class DecisionMade(Event, frozen=True, kw_only=True):
    """Somebody's rule said yes or no, with its evidence."""

    TYPE: ClassVar[str] = "driftloop.decision-made.v1"
    model: ModelName
    kind: Literal["retrain", "promote", "recalibrate"]
    accepted: bool
    reason: str
    window: Window | None
    rule: Digest  # of the rule's parameters
    evidence: dict[str, Any]
    request_id: str | None = None  # the retrain request that follows, or that is judged


class RetrainRequested(Event, frozen=True, kw_only=True):
    """A model should be trained again on what is known now. The request's id is the event's id."""

    TYPE: ClassVar[str] = "driftloop.retrain-requested.v1"
    model: ModelName
    reason: RetrainReason
    detail: str
    window: Window | None = None  # judge on this window; null: the newest labelled one
    requested_by: str
    evidence: dict[str, Any] = {}


class VersionSeen(Event, frozen=True, kw_only=True):
    """Traffic named a version that is served elsewhere and that the registry did not know."""

    TYPE: ClassVar[str] = "driftloop.version-seen.v1"
    model: ModelName
    served_as: str


class TrainingStarted(Event, frozen=True, kw_only=True):
    """A run pinned what it will be trained from. The first one of a request stands."""

    TYPE: ClassVar[str] = "driftloop.training-started.v1"
    model: ModelName
    request_id: str
    answers: tuple[str, ...]  # all request ids that this run answers, request_id first
    pins: TrainingPins


class TrainingCompleted(Event, frozen=True, kw_only=True):
    """A run stored an artifact, its profile, card and lineage under the digest of their manifest."""

    TYPE: ClassVar[str] = "driftloop.training-completed.v1"
    model: ModelName
    request_id: str
    answers: tuple[str, ...]
    manifest: Digest
    pins: TrainingPins
    recipe: str
    candidates: tuple[CandidateResult, ...]
    measurements: GateMeasurements | None  # null: there was no champion to compare with
    rows: int
    seconds: float
    recalibrations: tuple[RecalibrationProposal, ...] | msgspec.UnsetType = msgspec.UNSET


class TrainingFailed(Event, frozen=True, kw_only=True):
    """A run ended without a model, for a reason that a person understands."""

    TYPE: ClassVar[str] = "driftloop.training-failed.v1"
    model: ModelName
    request_id: str
    answers: tuple[str, ...]
    reason: str
    detail: str = ""


class VersionReproduced(Event, frozen=True, kw_only=True):
    """An audit has rebuilt a version from its pins and compared it with what is stored.

    ``level`` is the closest that matched (``driftloop.training.levels``); ``reason`` says why nothing could be rebuilt.
    """

    TYPE: ClassVar[str] = "driftloop.version-reproduced.v1"
    model: ModelName
    version: int
    manifest: Digest
    audit: str
    level: ReproductionLevel
    files: dict[str, bool]  # by name: the same bytes
    differences: tuple[Difference, ...]
    environment: Digest | None  # that it was rebuilt in
    code: str  # version of driftloop that rebuilt it
    reason: str | None = None
    seconds: float


class RedriveStarted(Event, frozen=True, kw_only=True):
    """Somebody began to send rejected messages of a stream again.

    One run at a time: it holds the stream unless the record names another that has not ended, and that it does not take over.
    ``machine`` and ``process`` tell whether a run that has not ended still can. What it sends lies at ``reach`` or behind.
    """

    TYPE: ClassVar[str] = "driftloop.redrive-started.v1"
    stream: StreamName
    run: str
    by: str
    why: str
    machine: str
    process: str
    reach: tuple[TopicReach, ...]
    takes_over: str | None = None  # a run


class MessagesRedriven(Event, frozen=True, kw_only=True):
    """Rejected messages of a stream were sent again: the broker holds them. ``change``: what was done to them, in words."""

    TYPE: ClassVar[str] = "driftloop.messages-redriven.v1"
    stream: StreamName
    run: str
    by: str
    why: str
    change: str
    messages: tuple[RedrivenMessage, ...]


class RedriveEnded(Event, frozen=True, kw_only=True):
    """A run sends nothing any more. ``whole``: all that it has sent is on record; else the next run looks for it."""

    TYPE: ClassVar[str] = "driftloop.redrive-ended.v1"
    stream: StreamName
    run: str
    sent: Count
    whole: bool
