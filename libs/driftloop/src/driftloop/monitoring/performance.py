"""Performance reports of one window from its joined rows. Pure."""

import hashlib
from collections.abc import Callable, Iterator

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.canary import VERSION_RULE
from driftloop.contracts.class_probabilities import PROBABILITIES
from driftloop.contracts.events import PerformanceReported
from driftloop.contracts.values import Interval, LossMean, SegmentPerformance, Window
from driftloop.monitoring.estimates import estimate
from driftloop.monitoring.segments import Segment, segments
from driftloop.project.model import Project
from driftloop.rows import probabilities
from driftloop.rows.schemas import holds_probabilities
from driftloop.statistics.intervals import measure
from driftloop.statistics.losses import error_scale, mean_loss
from driftloop.statistics.profile import Profile
from driftloop.statistics.recorded import measurable

_ADDED = ("loss", "estimate", "segments", "answer", "challengers", "canary")  # fields that earlier reports do not have
ProfileOf = Callable[[int], Profile | None]  # by version; None: nobody knows it

COLUMNS = ("event_time", "prediction", "score", "model_version")  # of the inferences; the join adds label and label_time


def columns(project: Project) -> tuple[str, ...]:
    """What a window's rows are measured by."""
    more = (PROBABILITIES,) if _from_probabilities(project) else ()
    beside = () if project.promotion.canary is msgspec.UNSET else ("entity", VERSION_RULE)
    return tuple(dict.fromkeys((*COLUMNS, *more, *beside, *project.monitoring.segments)))


def no_profile(version: int) -> None:
    """Where profiles are not known."""


def performance_reports(
    project: Project,
    window: Window,
    rows: pa.Table,
    inferences_version: int,
    labels_version: int,
    labels_without_inference: int = 0,
    profile_of: ProfileOf = no_profile,
) -> Iterator[PerformanceReported]:
    """All versions together (version null), then each version that scored rows. ``rows``: the window's, labelled or not;
    ``labels_without_inference``: the window's labels that are in none of them."""
    versions = sorted(v for v in pc.unique(rows.column("model_version")).to_pylist() if v is not None)
    for version in [None, *versions]:
        part = rows if version is None else rows.filter(pc.equal(rows.column("model_version"), version))
        labelled = part.filter(part.column("label").is_valid())
        interval, measured_rows = measured(project, labelled)
        profile = None if version is None else profile_of(version)
        curve = None if profile is None else profile.calibration
        yield PerformanceReported(
            model=project.model,
            stream=project.stream,
            version=version,
            window=window,
            revision=0,
            metric=project.metric,
            measured=interval,
            rows=part.num_rows,
            labelled=labelled.num_rows,
            coverage=labelled.num_rows / part.num_rows if part.num_rows else 0.0,
            median_label_delay_seconds=_median_delay(labelled),
            inferences_version=inferences_version,
            labels_version=labels_version,
            measured_rows=measured_rows if _from_probabilities(project) else msgspec.UNSET,
            labels_without_inference=labels_without_inference if version is None else msgspec.UNSET,
            loss=msgspec.UNSET if version is None else lost(project, labelled, profile) or msgspec.UNSET,
            estimate=msgspec.UNSET if version is None else estimate(project, part, labelled, interval, curve) or msgspec.UNSET,
            segments=tuple(_of_segment(project, s, profile) for s in segments(project, part))
            if project.monitoring.segments
            else msgspec.UNSET,
        )


def _of_segments(project: Project, rows: pa.Table, profile: Profile | None) -> tuple[SegmentPerformance, ...]:
    return tuple(_of_segment(project, segment, profile) for segment in segments(project, rows))


def _of_segment(project: Project, segment: Segment, profile: Profile | None) -> SegmentPerformance:
    labelled = segment.rows.filter(segment.rows.column("label").is_valid())
    return SegmentPerformance(
        feature=segment.feature,
        value=segment.value,
        others=segment.others,
        rows=segment.rows.num_rows,
        labelled=labelled.num_rows,
        coverage=labelled.num_rows / segment.rows.num_rows,
        measured=measured(project, labelled)[0],
        median_label_delay_seconds=_median_delay(labelled),
        loss=None if profile is None else lost(project, labelled, profile),
    )


def measured(project: Project, labelled: pa.Table) -> tuple[Interval | None, int]:
    """The project's metric over the labelled rows that have what it needs, and how many they are; None where it is not defined."""
    labels, output = measurable(labelled, project.task_metric)
    return measure(project.task_metric, labels, output, project.training.seed), len(labels)


def lost(project: Project, labelled: pa.Table, profile: Profile | None) -> LossMean | None:
    """What a version lost on its labelled rows; None where that is not defined (``statistics.losses``)."""
    scored = labelled.filter(labelled.column("score").is_valid())
    labels, predictions, scores = (scored.column(name).to_numpy() for name in ("label", "prediction", "score"))
    return mean_loss(project.schema.target.task, labels, predictions, scores, None if profile is None else error_scale(profile))


def unknown_classes(rows: pa.Table) -> int:
    """Labels of a class that no version knows which scored the rows; 0 where their class probabilities are not read."""
    if not holds_probabilities(rows.schema):
        return 0
    return probabilities.unknown_classes(rows.column("label"), rows.column(PROBABILITIES))


class LastReport(msgspec.Struct, frozen=True):
    """What is remembered of the last report on a window: of one version, or of all together (null)."""

    version: int | None
    revision: int
    content: str
    rows: int
    labelled: int
    loss: LossMean | msgspec.UnsetType = msgspec.UNSET  # the loss alarm goes on from it when the report's topic has forgotten

    @classmethod
    def of(cls, report: PerformanceReported) -> "LastReport":
        return cls(report.version, report.revision, content_digest(report), report.rows, report.labelled, report.loss)


def content_digest(report: PerformanceReported) -> str:
    """The same for reports that tell a reader the same; Delta versions move without a window's rows changing."""
    said = [report.measured, report.rows, report.labelled, report.median_label_delay_seconds, report.metric]
    more = [] if report.measured_rows is msgspec.UNSET else [report.measured_rows]
    lone = report.labels_without_inference
    last = [{"labels_without_inference": lone}] if lone is not msgspec.UNSET and lone else []  # else as releases before said it
    added = {name: value for name in _ADDED if (value := getattr(report, name)) is not msgspec.UNSET}
    last += [added] if added else []
    return hashlib.sha256(msgspec.json.encode([*said, *more, *last], order="deterministic")).hexdigest()[:32]


def _from_probabilities(project: Project) -> bool:
    return project.task_metric.form.needs == "probabilities"


def _median_delay(labelled: pa.Table) -> float | None:
    if not labelled.num_rows:
        return None
    known = labelled.column("label_time").cast(pa.int64()).to_numpy()
    happened = labelled.column("event_time").cast(pa.int64()).to_numpy()
    return float(np.median(known - happened)) / 1e6
