"""A stream with data in the lake, a registered project, and trainers as processes, on the real broker and store."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
from kafka.errors import CoordinatorNotAvailableError, GroupIdNotFoundError
from kafka.structs import OffsetAndMetadata
from tests.support.clients import KafkaAdminClient, KafkaConsumer, TopicPartition
from tests.support.lake_rows import flush_of
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.unit.training import jobs

from driftloop.adapters.kafka import Producer, Publisher, create_topics, read_topic
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.contracts.codec import decode_event
from driftloop.contracts.commands import MoveAlias, RegisterProject, RegisterVersion
from driftloop.contracts.events import Event, RetrainRequested, TrainingCompleted, TrainingFailed, TrainingStarted
from driftloop.contracts.topics import CONTROL_TOPICS, REGISTRY_LOG, RETRAIN_REQUESTS, TRAINING_RUNS
from driftloop.contracts.values import PromotionRules, Window
from driftloop.lake.commit import commit, store_files
from driftloop.lake.table import LakeTable
from driftloop.local.s3 import S3Access
from driftloop.project.model import Project, archive_key
from driftloop.rows.schemas import lake_schema
from driftloop.settings import S3Settings


class World:
    def __init__(self, bootstrap: str, s3: S3Access, unique: str, folder: Path, *, trainers: bool = True) -> None:
        self.bootstrap, self.s3, self.name, self.folder = bootstrap, s3, f"t{unique}", folder
        self.settings = S3Settings(
            endpoint=s3.endpoint, bucket=s3.bucket, region=s3.region, access_key=s3.access_key, secret_key=s3.secret_key
        )
        self.store = MinioObjectStore(self.settings)
        create_topics(bootstrap, CONTROL_TOPICS)
        self.producer = Producer(bootstrap, client_id=f"test-{self.name}")
        self.publisher = Publisher(self.producer, source="driftloop/test")
        self.hold = folder / "hold"  # training waits while this file exists
        self.project = self.register()
        self._at = 0
        if trainers:
            _begin_at_the_end(bootstrap)

    def register(
        self, pipeline: str = jobs.PIPELINE, model: str | None = None, candidates: str = '["all", "last:1"]', more: str = ""
    ) -> Project:
        """Register a project whose training can be held, and wait for nothing."""
        config = jobs.CONFIG.replace('["all", "last:1"]', candidates) + more
        config = config.replace('"shop"', f'"{self.name}"').replace('"buyers"', f'"{model or self.name}"')
        held = f"import os, time\nwhile os.path.exists({str(self.hold)!r}):\n    time.sleep(0.05)\n" + pipeline
        project = jobs.project(held, config)
        self.store.put(archive_key(project.name, project.digest()), project.archive())
        self.command(
            RegisterProject,
            project=project.name,
            stream=project.stream,
            model=project.model,
            archive=project.digest(),
            schema_fingerprint=project.schema.fingerprint(),
            promotion=PromotionRules(),
        )
        return project

    def command(self, kind: Any, **fields: Any) -> None:
        identity = uuid.uuid4().hex
        command = kind(command_id=identity, at=datetime.now(UTC), actor="test", reason="test", **fields)
        self.publisher.publish(REGISTRY_LOG, command, key=self.name, id=identity)

    def make_champion(self, run: TrainingCompleted, version: int, epoch: int) -> None:
        """What the registry does with a completed run."""
        self.command(RegisterVersion, model=run.model, request_id=run.request_id, manifest=run.manifest, pins=run.pins)
        self.command(MoveAlias, model=run.model, alias="champion", version=version, expected_epoch=epoch)

    def fill_lake(
        self,
        windows: int,
        seed: int = 0,
        mark: datetime | None = None,
        version: int | None = None,
        recalibrated: int | None = None,
        flip_in: int | None = None,
    ) -> None:
        """The first ``windows`` windows of rows and labels, as one more flush of each table, as if ``version`` had scored them,
        corrected by the recalibration of epoch ``recalibrated``; ``flip_in``: of ``jobs.rows``."""
        table = jobs.rows(windows, seed=seed, flip_in=flip_in).slice(self._at)
        n, at = table.num_rows, self._at
        extra = {
            "prediction": pa.array([None if version is None else True] * n, pa.bool_()),
            "score": pa.array([None if version is None else 0.75] * n, pa.float64()),
            "model_version": pa.array([version] * n, pa.int64()),
            "scored_at": table.column("event_time"),
            "request_offset": pa.array(range(at, at + n)),
            "recalibration_epoch": pa.array([recalibrated] * n, pa.int64()),
            "version_rule": pa.nulls(n, pa.string()),
            "label_time": table.column("event_time"),
            "partition": pa.array([0] * n, pa.int32()),
            "offset": pa.array(range(at, at + n)),
        }
        for name, column in extra.items():
            table = table.append_column(name, column)
        for name in ("inferences", "labels"):
            wanted = lake_schema(self.project.schema, name)
            lake = LakeTable.open(self.settings, self.name, name, wanted)
            flush = flush_of(table.select(wanted.names).cast(wanted), 0, at, at + n, mark=mark)
            store_files(self.store, lake, flush)
            commit(lake, self.store, flush)
        self._at += n

    def request(self, window: Window | None = None, model: str | None = None, id: str | None = None) -> str:
        identity = id or uuid.uuid4().hex
        event = RetrainRequested(model=model or self.name, reason="manual", detail="test", window=window, requested_by="test")
        self.publisher.publish(RETRAIN_REQUESTS, event, key=event.model, id=identity)
        return identity

    def runs(self, kind: type[Event] | None = None) -> list[Any]:
        """What `training-runs` says about the models of this test, in order."""
        found = [decode_event(r.value, r.headers)[0] for r in read_topic(self.bootstrap, TRAINING_RUNS)]
        return [e for e in found if e.model.startswith(self.name) and (kind is None or isinstance(e, kind))]

    def ended(self, request_id: str) -> TrainingCompleted | TrainingFailed:
        """The outcome of the run that answers a request."""

        def answer() -> list[Any]:
            return [e for e in self.runs() if isinstance(e, TrainingCompleted | TrainingFailed) and request_id in e.answers]

        wait_until(answer, f"the run of {request_id} to end")
        return answer()[0]

    def started(self) -> list[TrainingStarted]:
        return self.runs(TrainingStarted)

    def manifests(self) -> set[str]:
        return {entry.key.split("/")[2] for entry in self.store.list(f"models/{self.name}/") if entry.key.endswith("manifest.json")}

    def trainer(self, instance: str = "trainer-0", **env: str) -> "Trainer":
        return Trainer(self, instance, env)


class Trainer:
    """A trainer process. ``with`` starts it, waits until it is a member of its group, and ends it."""

    def __init__(self, world: World, instance: str, env: dict[str, str]) -> None:
        self._world, self.instance = world, instance
        port = free_port()
        self.log = world.folder / f"{instance}.log"
        for name, value in (("access", world.s3.access_key), ("secret", world.s3.secret_key)):
            (world.folder / name).write_text(value)
        settings = {
            "INSTANCE": instance,
            "KAFKA_BOOTSTRAP": world.bootstrap,
            "S3_ENDPOINT": world.s3.endpoint,
            "S3_BUCKET": world.s3.bucket,
            "S3_ACCESS_KEY_FILE": str(world.folder / "access"),
            "S3_SECRET_KEY_FILE": str(world.folder / "secret"),
            "HTTP_PORT": str(port),
            "STATE_DIR": str(world.folder / "state"),
        }
        self._env = {(k if k.startswith("DRIFTLOOP") else f"DRIFTLOOP_TRAINER_{k}"): v for k, v in (settings | env).items()}
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS)
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Trainer":
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "driftloop_trainer"], env=os.environ | self._env, stdout=log, stderr=log)
        wait_until(self._ready, f"{self.instance} to be ready, see {self.log}")
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()  # leaves the group at once
            try:
                self.process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def status(self) -> dict[str, Any]:
        return dict(self._http.get("/status").json())

    def metrics(self) -> str:
        return str(self._http.get("/metrics").text)

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        wait_until(condition, f"{what}, see {self.log}")

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def wait(self) -> int:
        assert self.process is not None
        return self.process.wait(PATIENCE_SECONDS)

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.instance} ended with {self.process.returncode}:\n{self.log.read_text()[-3000:]}"
        try:
            return self._http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False


def members(bootstrap: str) -> set[str]:
    """Member ids of the trainers' group."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        described = admin.describe_groups(["trainer"])
        return {member["member_id"] for member in described["trainer"]["members"]}
    finally:
        admin.close()


def processes_of(folder: Path) -> list[int]:
    """Training processes that have begun a job below ``folder``."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command, directory = (entry / "cmdline").read_bytes(), (entry / "cwd").readlink()
        except (OSError, ValueError):
            continue
        if b"driftloop.training.child" in command and directory.is_relative_to(folder.resolve()):
            found.append(int(entry.name))
    return found


def _nobody_left(bootstrap: str) -> bool:
    try:
        return not members(bootstrap)
    except GroupIdNotFoundError:
        return True
    except CoordinatorNotAvailableError:  # the broker has just started
        return False


def _begin_at_the_end(bootstrap: str) -> None:
    """The broker is shared, the group is not: requests of other tests are none of this one's business."""
    wait_until(lambda: _nobody_left(bootstrap), "killed members to be forgotten")
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id="trainer", enable_auto_commit=False)
    tps = [TopicPartition(RETRAIN_REQUESTS, p) for p in consumer.partitions_for_topic(RETRAIN_REQUESTS)]
    consumer.assign(tps)
    consumer.commit({tp: OffsetAndMetadata(end, "", -1) for tp, end in consumer.end_offsets(tps).items()})
    consumer.close(autocommit=False)
