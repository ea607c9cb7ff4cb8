"""Values that several events carry."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

from driftloop.contracts.canary_steps import Step
from driftloop.contracts.guard_rails import ScoringCost, SegmentGain
from driftloop.contracts.names import Digest, Name

Time = Annotated[datetime, msgspec.Meta(tz=True)]
EARLIEST, LATEST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)  # that every time zone of Python's can show
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
# Strangers' JSON may hold whole numbers of any size; ours go through Arrow, MessagePack and Delta.
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Offset = Count
RowCount = Annotated[int, msgspec.Meta(ge=0, le=10**15)]  # of one window; sums over all that are remembered have 64 bits


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the values below: immutable, named fields, unknown fields ignored on reading."""


def rule_digest(rules: Part) -> str:
    """sha256 of the canonical JSON of a rule's parameters, hex: what a decision names as the rule that it was made by."""
    return hashlib.sha256(msgspec.json.encode(rules, order="deterministic")).hexdigest()


class OffsetRange(Part, frozen=True, kw_only=True):
    """Offsets ``[start, end)`` of one partition of one incarnation (``topic_id``) of a topic."""

    topic: str
    topic_id: str
    partition: Count
    start: Offset
    end: Offset


class TopicReach(Part, frozen=True, kw_only=True):
    """Where the partitions of one incarnation of a topic ended, by partition."""

    topic: str
    topic_id: str
    ends: dict[str, Offset]


class RedrivenMessage(Part, frozen=True, kw_only=True):
    """A rejected message that was sent again: its place in quarantine (``2:41``), where it came from, and where it is now, in the
    same topic. ``id``: ``contracts.redrives.redrive_id``."""

    id: str
    quarantined: str
    topic: str
    partition: Count
    offset: Offset
    new_partition: Count
    new_offset: Offset


class Window(Part, frozen=True, kw_only=True):
    """Event-time interval ``[start, end)``."""

    start: Time
    end: Time

    def __post_init__(self) -> None:
        for time in (self.start, self.end):
            if not _FIRST <= time <= _LAST:
                raise ValueError("a window's time is not between the years 1 and 9999")


class Interval(Part, frozen=True, kw_only=True):
    """A metric's value with its bootstrap interval."""

    value: float
    lower: float
    upper: float


Loss = Literal["squared", "wrong", "absolute"]


class LossMean(Part, frozen=True, kw_only=True):
    """What a version lost on the labelled rows of one window, on average, in [0, 1].

    ``squared`` (binary): (P(true) − label)²; ``wrong``: 1 where the prediction is wrong, else 0; ``absolute`` (regression): |prediction −
    label| in units of ``scale``, 1 at most. Only means of one loss and one scale are compared.
    """

    loss: Loss
    mean: Annotated[float, msgspec.Meta(ge=0, le=1)]
    rows: RowCount
    scale: float | None = None  # in the target's unit; null where the loss has none


class Estimate(Part, frozen=True, kw_only=True):
    """A metric as it is to be expected by the model's own scores, whether or not labels have landed: no measurement
    (``driftloop.monitoring.estimates``). ``calibrated``: by the version's curve of held-out rows; else the scores as they are.
    ``error``: what was estimated for the labelled rows less what was measured on them; null while nothing was."""

    value: float
    calibrated: bool
    error: float | None = None


class SegmentPerformance(Part, frozen=True, kw_only=True):
    """A window's rows of one category of a feature (null: of rows without one), or of all ``others`` together."""

    feature: str
    value: str | None
    others: bool = False
    rows: RowCount
    labelled: RowCount
    coverage: float
    measured: Interval | None
    median_label_delay_seconds: float | None
    loss: LossMean | None = None


class LossAlarm(Part, frozen=True, kw_only=True):
    """Whether a version's loss has risen above its reference, after each of ``windows`` (``driftloop.statistics.e_process``).

    ``e``: evidence that it has; 1 is none. The alarm is raised at 1/``alpha``, until the loss has come down again. ``bound``:
    what the mean may come to: the ``reference`` and what that may be wrong by. It is of held-out rows at ``training``, or of
    the version's ``first-windows``, which are then not among ``windows``.
    """

    loss: Loss
    reference: float
    bound: float
    reference_from: Literal["training", "first-windows"]
    e: float
    alpha: float
    windows: Count
    raised: bool


# By whether the columns have drifted, and whether the model loses more than it did.
Answer = Literal["calm", "benign-drift", "silent-decay", "harmful-drift"]


class MovedColumn(Part, frozen=True, kw_only=True):
    """A column of a window: how far it is from the profile, whether that is too far, and what it is worth to the model
    (permutation importance at training, in units of the metric; null: not known)."""

    column: str
    distance: float
    drifted: bool
    importance: float | None = None


class WindowAnswer(Part, frozen=True, kw_only=True):
    """What a window means. ``columns``: those that have drifted, by distance × importance, or by distance while that is not known; of
    a loss that has risen without drift, those that moved most. ``harm_known``: false while no loss can be held against a
    reference, for want of labels or of windows; then nothing is said to do harm."""

    answer: Answer
    reason: str
    harm_known: bool
    columns: tuple[MovedColumn, ...] = ()
    alarm: LossAlarm | None = None


# calm: no column lies above its threshold. uncalibrated: there is no threshold to judge by, only the sizes of effects.
DriftVerdict = Literal["calm", "drifted", "uncalibrated"]


class FeatureDrift(Part, frozen=True, kw_only=True):
    """Distances of one column in one window from the profile of the version that scored it.

    ``statistics``: every statistic of ``driftloop.statistics.distances`` that applies to the column, by name; empty in
    events of before it was added. ``psi`` in nats and ``ks`` in [0, 1] (null for categories) are two of them, as they were
    before; the shares are in [0, 1] of the window's rows. ``distance`` is the one number in [0, 1] that columns of all kinds
    are compared and judged by (``driftloop.statistics.effect_size``); null in events of before it was added.
    """

    psi: float
    ks: float | None
    missing_share: float
    unseen_share: float
    out_of_range_share: float
    drifted: bool
    statistics: dict[str, float] = {}
    distance: float | None = None

    @classmethod
    def of(
        cls,
        statistics: Mapping[str, float],
        *,
        missing_share: float,
        unseen_share: float,
        out_of_range_share: float,
        drifted: bool,
        distance: float | None = None,
    ) -> "FeatureDrift":
        return cls(
            psi=statistics["psi"],
            ks=statistics.get("ks"),
            missing_share=missing_share,
            unseen_share=unseen_share,
            out_of_range_share=out_of_range_share,
            drifted=drifted,
            statistics=dict(statistics),
            distance=distance,
        )

    def statistic(self, name: str) -> float | None:
        """One statistic's value, from an event of any age; None where it does not apply or was not computed then."""
        return self.statistics.get(name, {"psi": self.psi, "ks": self.ks}.get(name))


class WindowGain(Part, frozen=True, kw_only=True):
    """By how much a run's candidate was better than the champion on one window: above 0 it was.

    ``error``: the gain's standard error, over resamples of the split keys of ``rows`` labelled rows.
    """

    window: Window
    gain: float
    error: float
    rows: RowCount


class GateMeasurements(Part, frozen=True, kw_only=True):
    """What the trainer measured on the newest labelled window; the verdict is the registry fold's.

    ``gain_error`` is the gain's standard error. ``earlier``: gains on the windows before that runs measured against the same
    champion, oldest first, the newest few. ``waited``: the sum of all of them and of this gain: what it has cost to keep the champion.
    ``churn``: share of the rows whose prediction the candidate changes, of numbers by more than the project's ``moved`` standard
    deviations of the labels. ``segments``: those that are large enough, of the features that the project declares. ``cost``: of the
    version itself. Measurements of earlier releases have none of these.
    """

    window: Window
    metric: str
    rows: int
    candidate: float
    champion: float
    gain: float  # above 0: the candidate is better, whichever way the metric points
    gain_lower: float  # lower bound of the paired bootstrap of the gain, one-sided, at `confidence`
    confidence: float
    champion_version: int
    # Which of the window's labelled rows. "held-out": the champion was fitted on others of them since the window closed, and
    # was measured on those that it was not fitted on. "other-keys": the candidate was fitted on half of the window's split keys, and
    # measured on others. Absent: all of them, none of which either had seen.
    judged_on: Literal["held-out", "other-keys"] | msgspec.UnsetType = msgspec.UNSET
    gain_error: float | msgspec.UnsetType = msgspec.UNSET
    earlier: tuple[WindowGain, ...] | msgspec.UnsetType = msgspec.UNSET
    waited: float | msgspec.UnsetType = msgspec.UNSET
    churn: float | msgspec.UnsetType = msgspec.UNSET
    segments: tuple[SegmentGain, ...] | msgspec.UnsetType = msgspec.UNSET
    cost: ScoringCost | msgspec.UnsetType = msgspec.UNSET

    def without_cost(self) -> "GateMeasurements":
        """What the same run measures again, to the last digit."""
        return msgspec.structs.replace(self, cost=msgspec.UNSET)

    def of_window(self) -> WindowGain | None:
        """This window's gain; None where its error was not measured."""
        if self.gain_error is msgspec.UNSET:
            return None
        return WindowGain(window=self.window, gain=self.gain, error=self.gain_error, rows=self.rows)


class PromotionRules(Part, frozen=True, kw_only=True):
    """When a candidate may replace the champion; declared by the project, applied by the registry fold.

    ``promotion_worth``: what the gains of waiting must have added up to, in units of the metric times windows; 0: nothing is asked.
    ``max_churn``: the largest share of rows whose prediction may change; null, as absence of the others: any. ``max_segment_loss``: in
    units of the metric, what no segment may be shown to lose; ``max_latency_ratio``: of the times for the same rows; ``max_size_mib``:
    of the model file.
    """

    tolerance: float = 0.0
    min_rows: int = 100  # that judge: of several candidates half of the window's
    approval: Literal["automatic", "person"] = "automatic"
    promotion_worth: float = 0.0  # of projects that were registered before there was such a rule
    max_churn: float | None = None
    # Absent and not null, so that the digests of rules and states without them stay what they are.
    max_segment_loss: Annotated[float, msgspec.Meta(ge=0)] | msgspec.UnsetType = msgspec.UNSET
    max_latency_ratio: Annotated[float, msgspec.Meta(gt=0)] | msgspec.UnsetType = msgspec.UNSET
    max_size_mib: Annotated[float, msgspec.Meta(gt=0)] | msgspec.UnsetType = msgspec.UNSET
    canary: tuple[Step, ...] | msgspec.UnsetType = msgspec.UNSET
    canary_windows: Annotated[int, msgspec.Meta(ge=1, le=1000)] | msgspec.UnsetType = msgspec.UNSET


class TrainingPins(Part, frozen=True, kw_only=True):
    """Everything a rebuild needs. ``champion_version`` is null for the first version."""

    snapshot: Digest
    project: Digest
    environment: Digest
    code: str  # of driftloop, as `code_version` writes it: version, digest of the sources, commit if known
    seed: int
    threads: int
    evaluation_window: Window | None
    champion_version: int | None
    champion_epoch: int


class Difference(Part, frozen=True, kw_only=True):
    """Something that was otherwise when it was recorded; null: it was not there."""

    what: str  # package numpy, threads OMP_NUM_THREADS, kernel of openblas
    recorded: str | None
    now: str | None


class PartitionSketch(Part, frozen=True, kw_only=True):
    """Counts of one model version's rows in one window of one partition.

    ``counts`` maps a column (features, and ``$score``) to its histogram on the bins of the profile named by ``profile``;
    the layout of a histogram is that of ``driftloop.statistics.profile``.
    """

    version: Count
    profile: Digest
    rows: Count
    counts: dict[str, list[Count]]


ModelName = Name
StreamName = Name
