"""A stream, a project and predictors as processes, on the real broker and store."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pyarrow as pa
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.unit.predictor.samples import sample_pins, sample_project

from driftloop.adapters.kafka import Producer, Publisher, create_topics, read_topic
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.contracts.commands import Command, MoveAlias, Recalibrate, RegisterProject, RegisterVersion
from driftloop.contracts.headers import request_range, watermark
from driftloop.contracts.recalibration import Recalibration
from driftloop.contracts.topics import CONTROL_TOPICS, REGISTRY_LOG, inferences, quarantine, requests, stream_topics
from driftloop.contracts.values import PromotionRules
from driftloop.local.s3 import S3Access
from driftloop.ports import Record
from driftloop.project.model import Project, archive_key
from driftloop.rows.arrow_stream import decode_table
from driftloop.rows.schemas import inference_schema
from driftloop.service.quarantine import Quarantined, read_quarantined
from driftloop.settings import S3Settings


def eventually(what: str, probe: Callable[[], Any]) -> Any:
    """What ``probe`` gives, as soon as it is true."""
    found: list[Any] = []
    wait_until(lambda: (found.append(probe()), found[-1])[1], what)
    return found[-1]


class World:
    """One stream with its registered project, and what a test does to it."""

    def __init__(self, bootstrap: str, s3: S3Access, name: str, folder: Path, partitions: int = 4) -> None:
        self.bootstrap, self.s3, self.name, self.folder = bootstrap, s3, name, folder
        settings = S3Settings(endpoint=s3.endpoint, bucket=s3.bucket, region=s3.region, access_key=s3.access_key, secret_key=s3.secret_key)
        self.store = MinioObjectStore(settings)
        self.project = self.make_project()
        create_topics(bootstrap, [*CONTROL_TOPICS, *stream_topics(name, partitions, existing=self.project.existing)])
        self.producer = Producer(bootstrap, client_id=f"test-{name}")
        self._commands = 0
        self.epoch = self.recalibration_epoch = 0
        self.register(self.project)

    def make_project(self) -> Project:
        return sample_project(self.name)

    def command(self, kind: type[Command], **fields: Any) -> None:
        self._commands += 1
        identity = f"{self.name}-{self._commands}"
        command = kind(command_id=identity, at=datetime.now(UTC), actor="test", reason="test", **fields)
        Publisher(self.producer, source="driftloop/test").publish(REGISTRY_LOG, command, key=self.name, id=identity)

    def register(self, project: Project, promotion: PromotionRules | None = None) -> None:
        digest = project.digest()
        self.store.put(archive_key(project.name, digest), project.archive())
        self.command(
            RegisterProject,
            project=project.name,
            stream=project.stream,
            model=project.model,
            archive=digest,
            schema_fingerprint=project.schema.fingerprint(),
            promotion=promotion or PromotionRules(),
            stream_schema=project.schema,
        )

    def add_version(self, manifest: str) -> None:
        self.command(RegisterVersion, model=self.name, request_id=f"r-{manifest}-{self._commands}", manifest=manifest, pins=sample_pins())

    def promote(self, version: int) -> None:
        self.command(MoveAlias, model=self.name, alias="champion", version=version, expected_epoch=self.epoch)
        self.epoch += 1

    def recalibrate(self, recalibration: Recalibration | None, version: int) -> None:
        """Of the version that was promoted last."""
        self.command(
            Recalibrate,
            model=self.name,
            version=version,
            champion_epoch=self.epoch,
            expected_epoch=self.recalibration_epoch,
            recalibration=recalibration,
        )
        self.recalibration_epoch += 1

    def send(self, values: list[bytes | None], *, partition: int | None = None, headers: Any = (), key: bytes | None = None) -> None:
        """Spread over the partitions in turn unless one is named; returns when the broker holds them."""
        for i, value in enumerate(values):
            to = i % 4 if partition is None else partition
            self.producer.send(requests(self.name), value, partition=to, headers=headers, key=key)
        self.producer.flush()

    def predictor(self, instance: str = "predictor-0", **env: str) -> "Predictor":
        return Predictor(self, instance, env)

    def inferences(self) -> list[Record]:
        return read_topic(self.bootstrap, inferences(self.name))

    def quarantined(self) -> list[Quarantined]:
        return [read_quarantined(r) for r in read_topic(self.bootstrap, quarantine(self.name))]

    def sent(self) -> list[Record]:
        return read_topic(self.bootstrap, self.project.requests_topic)

    def account(self) -> "Account":
        return account(self.inferences(), self.project)


class Account(NamedTuple):
    """What readers of ``inferences`` see once they have trimmed overlaps."""

    rows: pa.Table  # with the column `partition`
    quarantined: set[tuple[int, int]]  # partition and offset
    next_offsets: dict[int, int]
    overlaps: int


def account(records: list[Record], project: Project) -> Account:
    """Fails at a gap, as every reader does."""
    schema = inference_schema(project.schema)
    at: dict[int, int] = {}
    tables, quarantined, overlaps = [], set(), 0
    for record in records:
        rows, accounts_for = decode_table(record.value, schema), request_range(record.headers)
        if accounts_for is None:
            keep = rows
        else:
            assert accounts_for.partition == record.partition
            here = at.get(record.partition, 0)
            assert accounts_for.start <= here, f"gap in partition {record.partition}: {here} to {accounts_for.start}"
            overlaps += accounts_for.start < here
            offsets = rows.column("request_offset")
            keep = rows.filter(pa.compute.greater_equal(offsets, here))
            quarantined |= {(record.partition, o) for o in accounts_for.quarantined if o >= here}
            at[record.partition] = max(here, accounts_for.end)
        tables.append(keep.append_column("partition", pa.array([record.partition] * keep.num_rows, pa.int32())))
    empty = schema.append(pa.field("partition", pa.int32())).empty_table()
    return Account(pa.concat_tables([empty, *tables]), quarantined, at, overlaps)


def watermarks(records: list[Record]) -> dict[int, list[datetime]]:
    found: dict[int, list[datetime]] = {}
    for record in records:
        mark = watermark(record.headers)
        if mark is not None:
            found.setdefault(record.partition, []).append(mark)
    return found


class Predictor:
    """A predictor process. ``with`` starts it and waits until it is ready, and ends it."""

    def __init__(self, world: World, instance: str, env: dict[str, str]) -> None:
        self._world, self.instance = world, instance
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
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
            "HTTP_PORT": str(self.port),
            "STATE_DIR": str(world.folder / "state"),
            "PROJECT": world.name,
        }
        self._env = {f"DRIFTLOOP_PREDICTOR_{k}": v for k, v in (settings | env).items() if not k.startswith("DRIFTLOOP")}
        self._env |= {k: v for k, v in env.items() if k.startswith("DRIFTLOOP")}
        self.process: subprocess.Popen[bytes] | None = None
        self.http = httpx.Client(base_url=self.url, timeout=PATIENCE_SECONDS)

    def start(self) -> "Predictor":
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "driftloop_predictor"], env=os.environ | self._env, stdout=log, stderr=log
            )
        eventually(f"{self.instance} to be ready, see {self.log}", self.ready)
        return self

    def ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.instance} ended with {self.process.returncode}:\n{self.log.read_text()[-3000:]}"
        try:
            return self.http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def status(self) -> dict[str, Any]:
        return dict(self.http.get("/status").json())

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        self.wait()

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def wait_for_requests(self) -> None:
        """Until it reads requests: it is ready before that, and compares the topics' settings in between."""
        eventually("requests to be read", lambda: "partition-taken" in self.log.read_text(encoding="utf-8", errors="replace"))

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def wait(self) -> int:
        assert self.process is not None
        return self.process.wait(PATIENCE_SECONDS)

    def _signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def __enter__(self) -> "Predictor":
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, kind: type[BaseException] | None = None, *_: object) -> None:
        self.http.close()
        if kind is not None and self.log.exists():  # pytest shows it with what failed
            sys.stdout.write("".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)[-60:]))
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@contextmanager
def world(bootstrap: str, s3: S3Access, unique: str, folder: Path) -> Iterator[World]:
    made = World(bootstrap, s3, f"p{unique}", folder)
    try:
        yield made
    finally:
        made.producer.close()
