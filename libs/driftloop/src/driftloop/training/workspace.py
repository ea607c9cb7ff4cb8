"""A run's folder: the job laid out for the training process, and what it left there put into the store."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pyarrow as pa

from driftloop.artifact import model_files
from driftloop.artifact.model_files import (
    Manifest,
    load_file,
    load_manifest,
    load_models,
    models_of,
    store_model,
    stored_files,
    trained_schema,
)
from driftloop.contracts.events import TrainingStarted
from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.typed import prepared
from driftloop.errors import IntegrityError, ObjectNotFound
from driftloop.lake.snapshot import load_snapshot
from driftloop.lake.snapshot_batches import batches_schema, snapshot_batches
from driftloop.ports import ObjectStore
from driftloop.project.model import Project
from driftloop.registry.state import ModelState
from driftloop.training.choosing import aged
from driftloop.training.earlier_runs import earlier
from driftloop.training.job import CHAMPION_FILE, JOB_FILE, PROJECT_FILE, ROWS_FILE, FittedOn, Job, TrainedModel, write_json, write_model
from driftloop.training.recorded_champion import namesakes, recorded_columns


class _Champion(NamedTuple):
    """The files of its model; ``schema`` when it was fitted under an earlier one of the stream, null: the project's."""

    model: dict[str, bytes]
    fitted_on: FittedOn
    schema: StreamSchema | None


class Workspace:
    def __init__(self, root: Path, store: ObjectStore) -> None:
        self._root, self._store = root, store

    def clear(self) -> None:
        """Forget the runs of earlier processes: what they had pinned is on the record."""
        shutil.rmtree(self._root, ignore_errors=True)

    def lay_out(self, started: TrainingStarted, model: ModelState, project: Project) -> Path:
        """The folder of this run, complete; the one of an earlier attempt if it is there.

        Raises TransientError; IntegrityError and ObjectNotFound when pinned data is damaged or gone.
        """
        folder = self.folder(started)
        if (folder / JOB_FILE).exists():
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        snapshot = load_snapshot(self._store, project.stream, started.pins.snapshot)
        recorded = self._recorded(started, model)
        columns = [
            "event_id",
            "event_time",
            "entity",
            *project.schema.feature_names,
            *(recorded_columns(project.schema) if recorded else []),
        ]
        batches = snapshot_batches(self._store, snapshot, project.schema, columns=columns, folder=folder)
        self._write_rows(folder / ROWS_FILE, batches_schema(project.schema, columns), batches)
        (folder / PROJECT_FILE).write_bytes(project.archive())
        champion, note = (None, None) if recorded else self._champion(started, model, project)
        if champion is not None:
            write_model(folder, CHAMPION_FILE, champion.model)
        job = Job(
            model=started.model,
            request_id=started.request_id,
            pins=started.pins,
            end=snapshot.content.end,
            has_champion=champion is not None,
            champion_recorded=recorded,
            champion_note=note,
            champion_fitted_on=champion.fitted_on if champion is not None else None,
            champion_schema=champion.schema if champion is not None else None,
            **(earlier(self._store, started, model) if champion is not None or recorded else {}),
        )
        write_json(folder / JOB_FILE, job)
        return folder

    def store(self, folder: Path, started: TrainingStarted, project: Project, trained: TrainedModel) -> str:
        """Digest of the stored manifest. Safe to repeat. Raises TransientError."""
        manifest, contents = self.manifest(folder, started, project, trained)
        return store_model(self._store, manifest, contents)

    def manifest(
        self, folder: Path, started: TrainingStarted, project: Project, trained: TrainedModel
    ) -> tuple[Manifest, dict[str, bytes]]:
        """What the run's files make, and the files by name; nothing is stored."""
        names = (*model_files.FILES, *models_of(path.name for path in folder.iterdir())[1:])
        contents = {name: (folder / name).read_bytes() for name in names}
        manifest = Manifest(
            model=started.model,
            request_id=started.request_id,
            schema_fingerprint=project.schema.fingerprint(),
            recipe=trained.recipe,
            rows=trained.rows,
            pins=started.pins,
            measurements=trained.measurements and trained.measurements.without_cost(),
            environment=trained.environment,
            files=stored_files(contents),
            recalibrations=trained.recalibrations or msgspec.UNSET,
            aged=aged(trained.candidates) or msgspec.UNSET,
        )
        return manifest, contents

    def remove(self, started: TrainingStarted) -> None:
        shutil.rmtree(self.folder(started), ignore_errors=True)

    def folder(self, started: TrainingStarted) -> Path:
        return self._root / hashlib.sha256(msgspec.json.encode(started, order="deterministic")).hexdigest()[:32]

    def _write_rows(self, path: Path, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        with pa.ipc.new_file(str(path), schema) as writer:
            for batch in batches:
                writer.write_batch(batch)

    @staticmethod
    def _recorded(started: TrainingStarted, model: ModelState) -> tuple[int, ...]:
        """The numbers of the pinned champion, if it is served elsewhere: there is nothing of it but what it answered."""
        number = started.pins.champion_version
        champion = model.version(number) if number is not None else None
        return namesakes(model, champion) if champion is not None and champion.served_elsewhere else ()

    def _champion(self, started: TrainingStarted, model: ModelState, project: Project) -> tuple[_Champion | None, str | None]:
        """The pinned champion, or why it cannot be compared with; neither when there was none."""
        number = started.pins.champion_version
        champion = model.version(number) if number is not None else None
        if number is None or champion is None:
            return None, None if number is None else f"version {number} is not in the registry"
        try:
            manifest = load_manifest(self._store, model.model, champion.manifest)
            schema = None
            if manifest.schema_fingerprint != project.schema.fingerprint():
                schema = trained_schema(self._store, manifest, project.name, project.schema)
            lineage = load_file(self._store, manifest, champion.manifest, model_files.LINEAGE)
            files = load_models(self._store, manifest, champion.manifest)
            return _Champion(files, _fitted_on(lineage), schema), None
        except (IntegrityError, ObjectNotFound) as exc:
            return None, f"version {number} cannot be compared with: {exc}"


def _fitted_on(lineage: bytes) -> FittedOn:
    try:
        return msgspec.json.decode(lineage, type=prepared(FittedOn))
    except msgspec.MsgspecError as exc:
        raise IntegrityError(f"its {model_files.LINEAGE} does not tell which rows it was fitted on: {exc}") from exc
