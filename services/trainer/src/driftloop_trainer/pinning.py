"""What a run is trained from, decided once: project, data, champion, environment."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from driftloop.code_version import code_version
from driftloop.contracts.events import RetrainRequested, TrainingStarted
from driftloop.contracts.values import TrainingPins, Window
from driftloop.contracts.windows import WindowPlan
from driftloop.errors import ObjectNotFound, UserError
from driftloop.history.told import Told
from driftloop.lake.known_rows import labelled_rows
from driftloop.lake.newest_labelled import newest_labelled_time
from driftloop.lake.pinning import pin
from driftloop.lake.table import LakeTable
from driftloop.monitoring.late_labels import WindowLabels
from driftloop.monitoring.settled_labels import newest_settled
from driftloop.ports import ObjectStore
from driftloop.project.model import Project
from driftloop.registry.state import ModelState
from driftloop.settings import S3Settings
from driftloop.training.candidates import training_start
from driftloop_trainer.environments import Environments

_MOMENT = timedelta(microseconds=1)


class Pinner:
    def __init__(self, store: ObjectStore, s3: S3Settings, environments: Environments) -> None:
        self._store, self._s3, self._environments = store, s3, environments

    def pin(self, requests: Sequence[Told[RetrainRequested]], model: ModelState, project: Project) -> TrainingStarted:
        """One run for all the requests, named by the first. Raises UserError when there is nothing to train from, TransientError.

        Judged on the newest window that any of them names: the older ones are part of its training data.
        """
        inferences, labels = self._open(project, "inferences"), self._open(project, "labels")
        named = [told.event.window for told in requests if told.event.window is not None]
        if named:
            window: Window | None = max(named, key=lambda w: w.end)
            end = max(w.end for w in named)
        else:
            window, end = window_to_judge_on(project.windows, inferences, labels)
        start = first_row_needed(project, window.start if window else end)
        snapshot, _ = pin(self._store, project, inferences, labels, start=start, end=end)
        pins = TrainingPins(
            snapshot=snapshot,
            project=project.digest(),
            environment=self._environments.digest(project.training.threads, project.environment_types),
            code=code_version(),
            seed=project.training.seed,
            threads=project.training.threads,
            evaluation_window=window,
            champion_version=model.champion.version if model.champion else None,
            champion_epoch=model.champion_epoch,
        )
        ids = tuple(told.about.id for told in requests)
        return TrainingStarted(model=model.model, request_id=ids[0], answers=ids, pins=pins)

    def _open(self, project: Project, table: str) -> LakeTable:
        try:
            return LakeTable.open(self._s3, project.stream, table)
        except ObjectNotFound as exc:
            raise UserError(f"the lake holds no {table} of the stream {project.stream} yet") from exc


def first_row_needed(project: Project, judged_from: datetime) -> datetime | None:
    """From where on the recipes are fitted, the one that looks back farthest; None: from the beginning."""
    starts = [training_start(recipe, project.windows, judged_from) for recipe in project.training.candidates]
    return None if None in starts else min(start for start in starts if start is not None)


def window_to_judge_on(plan: WindowPlan, inferences: LakeTable, labels: LakeTable) -> tuple[Window | None, datetime]:
    """The newest closed window whose labels are all but complete, and its end; else as ``newest_labelled``. Raises UserError when
    no row has a label."""
    newest, end = newest_labelled(plan, inferences, labels)
    if newest is None:
        return None, end
    begins = min(file.event_time_min for file in inferences.files())

    def labels_of(back: int) -> WindowLabels | None:
        start, until = plan.last(back + 1, newest.end), plan.last(back, newest.end)
        if start >= until or until <= begins:
            return None
        rows = labelled_rows(inferences, labels, start=start, end=until, columns=["event_time"], keep_unlabelled=True)
        labelled = rows.num_rows - rows.column("label").null_count
        return WindowLabels(window=Window(start=start, end=until), rows=rows.num_rows, labelled=labelled)

    window = newest_settled(labels_of)
    return window, window.end


def newest_labelled(plan: WindowPlan, inferences: LakeTable, labels: LakeTable) -> tuple[Window | None, datetime]:
    """The newest closed window with labelled rows, and its end; while none is closed, the newest with labelled rows.

    Closed by the watermark of the lake. Rows outside the plan are in no window: then only the end is known, just after
    the newest of them. Raises UserError when no row has a label.
    """
    marks = inferences.watermarks().values()
    if marks:
        boundary = plan.last(0, min(marks))
        newest = newest_labelled_time(inferences, labels, boundary)
        if newest is not None:
            window = plan.window_of(newest)
            return window, window.end if window else boundary
    newest = newest_labelled_time(inferences, labels, None)
    if newest is None:
        raise UserError("no row in the lake has a label yet")
    window = plan.window_of(newest)
    return window, window.end if window else newest + _MOMENT
