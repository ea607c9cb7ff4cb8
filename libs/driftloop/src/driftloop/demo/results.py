"""After the last label: read topics and lake back, and put the report's parts together."""

from typing import NamedTuple

from driftloop.adapters.kafka import stream_topic
from driftloop.adapters.kafka_security import Cluster
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.artifact.model_files import load_model
from driftloop.contracts import topics
from driftloop.datasets.caching_store import RememberedReads
from driftloop.datasets.snapshots import stored_snapshots
from driftloop.datasets.split_check import SplitReport
from driftloop.datasets.split_rows import split_report
from driftloop.demo.conservation import Conservation, conservation
from driftloop.demo.example import HISTORY_WINDOWS
from driftloop.demo.lead_time import VersionStory, version_stories
from driftloop.demo.report import WindowReport
from driftloop.demo.scenario import Settled, Story
from driftloop.demo.scores import WindowScore, first_predictions, score_windows
from driftloop.errors import UserError
from driftloop.history.model_history import ModelHistory
from driftloop.lake.gaps import accepted_gaps
from driftloop.lake.known_rows import labelled_rows
from driftloop.lake.table import LakeTable
from driftloop.monitoring.performance import columns as measured_columns
from driftloop.ports import ObjectStore
from driftloop.project.model import Project
from driftloop.registry.fold import RegistryState
from driftloop.replay.publishing import Replay
from driftloop.settings import S3Settings


class Reckoning(NamedTuple):
    windows: tuple[WindowReport, ...]
    versions: tuple[VersionStory, ...]
    conservation: Conservation
    split: SplitReport


def reckon(
    project: Project, story: Story, replay: Replay, history: ModelHistory, registry: RegistryState, kafka: Cluster, s3: S3Settings
) -> Reckoning:
    """Everything that the report says, from recorded facts: nothing here was counted while the demo ran but what the broker
    acknowledged."""
    model = registry.model(project.model)
    if model is None or model.version(1) is None:
        raise UserError(f"the registry knows no version of {project.model}")
    inferences, labels = (LakeTable.open(s3, project.stream, table) for table in ("inferences", "labels"))
    taken = inferences.read(["partition", "request_offset", "event_id", "model_version", "scored_at"])
    return Reckoning(
        windows=tuple(_windows(project, story, history, model.versions[0].manifest, inferences, labels, s3)),
        versions=tuple(version_stories(model, history, {s.window: s.closed for s in story.settled}, first_predictions(taken))),
        conservation=conservation(
            project.stream,
            requests=stream_topic(kafka, topics.requests(project.stream)),
            labels=stream_topic(kafka, topics.labels(project.stream)),
            quarantine=stream_topic(kafka, topics.quarantine(project.stream)),
            inferences_table=taken,
            labels_table=labels.read(["partition", "offset", "event_id"]),
            acknowledged=(replay.requests, replay.labels),
            gaps=(*accepted_gaps(inferences), *accepted_gaps(labels)),
        ),
        split=_split(project, MinioObjectStore(s3)),
    )


def _split(project: Project, store: ObjectStore) -> SplitReport:
    """The leak test over every snapshot that a model was trained on. Their files are read once: most are in many of them."""
    reads = RememberedReads(store)
    return split_report(reads, [(found.stream, found.digest) for found in stored_snapshots(store, project.stream)])


def _windows(
    project: Project, story: Story, history: ModelHistory, first_manifest: str, inferences: LakeTable, labels: LakeTable, s3: S3Settings
) -> list[WindowReport]:
    frozen = load_model(
        MinioObjectStore(s3), project.model, first_manifest, project.schema, project.training.trusted_types, project=project.name
    ).scorer
    columns = ["event_id", *measured_columns(project), *project.schema.feature_names]
    windows = [s.window for s in story.settled]
    rows = labelled_rows(inferences, labels, start=windows[0].start, end=windows[-1].end, columns=columns, keep_unlabelled=True)
    scores = score_windows(rows, windows, frozen, project.task_metric)
    return [_window(number, settled, score, history) for number, (settled, score) in enumerate(zip(story.settled, scores, strict=True), 1)]


def _window(number: int, settled: Settled, score: WindowScore, history: ModelHistory) -> WindowReport:
    decision = history.retrain_decision(settled.window)
    return WindowReport(
        number=number,
        window=settled.window,
        rows=score.rows,
        labelled=score.labelled,
        score=score if number > HISTORY_WINDOWS else None,
        drift=history.drift_report(settled.window),
        decision=decision.event if decision else None,
        champion=settled.champion,
    )
