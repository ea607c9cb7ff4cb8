"""Ingest as a process on the real broker and store, and what must be true of what it leaves behind."""

import hashlib
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import httpx
from kafka import KafkaAdminClient
from tests.support.ports import free_port
from tests.support.registered import register_command
from tests.support.sample_project import sample_project
from tests.support.traffic import Traffic, small_schema
from tests.support.waiting import PATIENCE_SECONDS, wait_until

from driftloop.adapters.kafka import AssignedConsumer, Producer, Publisher, create_topics, read_topic, topic_id
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.contracts.codec import caused_id, decode_event
from driftloop.contracts.events import LakeCommitted
from driftloop.contracts.topics import CONTROL_TOPICS, DATASET_VERSIONS, REGISTRY_LOG, stream_topics
from driftloop.lake.cursors import offsets_in
from driftloop.lake.table import LakeTable, app_id
from driftloop.local.s3 import S3Access
from driftloop.ports import TopicPartition
from driftloop.service.quarantine import read_quarantined
from driftloop.settings import S3Settings

TABLES = ("inferences", "labels")


class IngestWorld:
    """One stream with its registered project, its traffic, and any number of ingest processes."""

    def __init__(self, bootstrap: str, s3: S3Access, stream: str, folder: Path, partitions: int = 4) -> None:
        self.ingest_s3_endpoint = s3.endpoint  # a test may put a proxy before the processes
        self.bootstrap, self.stream, self.folder, self.partitions = bootstrap, stream, folder, partitions
        self.s3 = S3Settings(endpoint=s3.endpoint, bucket=s3.bucket, region=s3.region, access_key=s3.access_key, secret_key=s3.secret_key)
        self.store = MinioObjectStore(self.s3)
        create_topics(bootstrap, [*CONTROL_TOPICS, *stream_topics(stream, partitions)])
        self.producer = Producer(bootstrap, client_id=f"test-{stream}")
        self.traffic = Traffic(self.producer, stream, topic_id(bootstrap, f"{stream}.requests"))
        self.sent = dict.fromkeys(range(partitions), 0)  # requests accounted for, by partition
        self.labelled = dict.fromkeys(range(partitions), 0)
        self._ids: dict[str, str] = {}  # of the topics that the tables are filled from
        self._register()
        for name, secret in (("access", s3.access_key), ("secret", s3.secret_key)):
            (folder / name).write_text(secret)

    def _register(self) -> None:
        project = sample_project(small_schema(self.stream))
        command = register_command(project, self.store, datetime.now(UTC), self.stream)
        Publisher(self.producer, source="driftloop/test").publish(REGISTRY_LOG, command, key=self.stream, id=self.stream)

    def send(self, messages: int = 1, rows: int = 50) -> None:
        """To every partition: as many requests as ``messages`` of ``rows`` inferences account for, those, and as many labels,
        every tenth of them broken."""
        self.request(messages * rows)
        for partition in range(self.partitions):
            for _ in range(messages):
                start = self.sent[partition]
                self.traffic.scored(partition, start, start + rows, quarantined=(start,))
                self.sent[partition] += rows
            for n in range(self.labelled[partition], self.sent[partition]):
                if n % 10 == 9:
                    self.traffic.raw_label(partition, f"broken {n}".encode())
                else:
                    self.traffic.label(partition, n)
            self.labelled[partition] = self.sent[partition]
        self.producer.flush()

    def request(self, n: int) -> None:
        """So many in every partition, before anything accounts for them."""
        for partition in range(self.partitions):
            for _ in range(n):
                self.producer.send(f"{self.stream}.requests", b"{}", partition=partition)
        self.producer.flush()

    def add_partition(self) -> None:
        """Send to one more, which the topics have by now."""
        self.sent[self.partitions] = self.labelled[self.partitions] = 0
        self.partitions += 1

    def ingest(self, instance: str = "ingest-0", **env: str) -> "IngestProcess":
        return IngestProcess(self, instance, env)

    def table(self, name: str) -> LakeTable:
        return LakeTable.open(self.s3, self.stream, name)

    def ends(self, name: str) -> dict[int, int]:
        tps = [TopicPartition(f"{self.stream}.{name}", p) for p in range(self.partitions)]
        consumer = AssignedConsumer(self.bootstrap, tps, client_id="test")
        try:
            return {tp.partition: end for tp, end in consumer.end_offsets(tps).items()}
        finally:
            consumer.close()

    def cursors(self, name: str) -> dict[int, int]:
        """Next offset by partition, as the table says; nothing before the table exists."""
        if name not in self._ids:
            self._ids[name] = topic_id(self.bootstrap, f"{self.stream}.{name}")
        table = self.table(name)
        return {p: table.cursor(app_id(self._ids[name], p)) or 0 for p in range(self.partitions)}

    def wait_caught_up(self) -> None:
        for name in TABLES:
            ends = self.ends(name)
            wait_until(lambda name=name, ends=ends: self.cursors(name) == ends, f"{self.stream}.{name} to be in the lake up to {ends}")

    def check(self) -> None:
        """Conservation, bytes, immutability, and an event for each commit of rows (I1, I3, I4, I9 of RELIABILITY.md)."""
        for name in TABLES:
            self._check_ranges(name)
            self._check_objects(name)
            self._check_events(name)
        self._check_rows()
        self._check_quarantine()

    def _check_rows(self) -> None:
        expected = Counter((p, n) for p, end in self.sent.items() for n in range(end) if n % 50)
        rows = self.table("inferences").read(["partition", "request_offset"])
        assert Counter(zip(rows["partition"].to_pylist(), rows["request_offset"].to_pylist(), strict=True)) == expected
        wanted = Counter(f"e{p}-{n}" for p, end in self.labelled.items() for n in range(end) if n % 10 != 9)
        assert Counter(self.table("labels").read(["event_id"])["event_id"].to_pylist()) == wanted

    def _check_quarantine(self) -> None:
        """A broken label may be in quarantine twice; the commits name it once."""
        rejected = {
            (q.partition, q.offset): q.record.value for q in map(read_quarantined, read_topic(self.bootstrap, f"{self.stream}.quarantine"))
        }
        broken = {
            (r.partition, r.offset): r.value for r in read_topic(self.bootstrap, f"{self.stream}.labels") if r.value.startswith(b"broken")
        }
        assert rejected == broken
        named = [(m.partition, offset) for note in self._notes("labels") for m in note.moves for offset in offsets_in(m.quarantined)]
        assert sorted(named) == sorted(broken)

    def _check_ranges(self, name: str) -> None:
        """Each cursor moves from where it stood, without a gap or an overlap."""
        at: dict[str, int] = {}
        for note in self._notes(name):
            for move in note.moves:
                assert move.start == at.get(move.cursor, 0), (name, note.version, move)
                at[move.cursor] = move.end
        assert sum(end for cursor, end in at.items() if cursor.startswith("driftloop/")) == sum(self.ends(name).values())

    def _check_objects(self, name: str) -> None:
        table = self.table(name)
        for file in table.files():
            data = self.store.get(f"{table.root}/{file.path}")
            assert hashlib.sha256(data).hexdigest() in file.path
            assert len(data) == file.size

    def _check_events(self, name: str) -> None:
        events = [decode_event(r.value, r.headers) for r in read_topic(self.bootstrap, DATASET_VERSIONS)]
        mine = {
            (about.id, event.version)
            for event, about in events
            if isinstance(event, LakeCommitted) and (event.stream, event.table) == (self.stream, name)
        }
        assert mine == {(caused_id("lake", self.stream, name, note.version), note.version) for note in self._notes(name)}

    def _notes(self, name: str):
        table = self.table(name)
        return [note for v in range(1, table.version + 1) if (note := table.note(v)) is not None]

    def committed(self) -> dict[TopicPartition, int]:
        """What the group has committed to Kafka."""
        group = f"ingest-{self.stream}"
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            found = admin.list_group_offsets(group)[group]
        finally:
            admin.close()
        return {TopicPartition(tp.topic, tp.partition): at.offset for tp, at in found.items()}

    def check_offsets(self) -> None:
        """No group offset passes what the lake accounts for (I2)."""
        committed = self.committed()
        cursors = {f"{self.stream}.{name}": self.cursors(name) for name in TABLES} if committed else {}
        assert all(offset <= cursors[tp.topic][tp.partition] for tp, offset in committed.items()), (committed, cursors)


class IngestProcess:
    """One process. ``with`` starts it and waits until it is ready, and ends it."""

    def __init__(self, world: IngestWorld, instance: str, env: dict[str, str]) -> None:
        self.instance = instance
        self.log = world.folder / f"{instance}.log"
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        settings = {
            "INSTANCE": instance,
            "KAFKA_BOOTSTRAP": world.bootstrap,
            "S3_ENDPOINT": world.ingest_s3_endpoint,
            "S3_BUCKET": world.s3.bucket,
            "S3_ACCESS_KEY_FILE": str(world.folder / "access"),
            "S3_SECRET_KEY_FILE": str(world.folder / "secret"),
            "HTTP_PORT": str(port),
            "STATE_DIR": str(world.folder),
            "PROJECT": world.stream,
            "FLUSH_ROWS": "200",
            "FLUSH_SECONDS": "0.3",
        }
        self._env = {f"DRIFTLOOP_INGEST_{name}": value for name, value in settings.items()} | env
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "IngestProcess":
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "driftloop_ingest"], env=os.environ | self._env, stdout=log, stderr=log)
        return self

    def wait_ready(self) -> None:
        wait_until(self._ready, f"{self.instance} to be ready, see {self.log}")

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.instance} ended with {self.process.returncode}:\n{self.log.read_text()[-3000:]}"
        try:
            return self._get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def _get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", timeout=PATIENCE_SECONDS)

    def status(self) -> dict[str, dict[str, int]]:
        return self._get("/status").json()

    def taken(self, topic: str) -> int:
        """Rows of a topic that it has taken up since its start, stored or still in its buffers."""
        shown = re.search(rf'^driftloop_rows_total{{topic="{topic}"}} (\S+)$', self._get("/metrics").text, re.MULTILINE)
        return int(float(shown[1])) if shown else 0

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self) -> int:
        """The exit code; minus the signal that ended it."""
        assert self.process is not None
        return self.process.wait(PATIENCE_SECONDS)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        self.wait()

    def logged(self, event: str) -> int:
        return self.log.read_text().count(f'"event": "{event}"')

    def __enter__(self) -> "IngestProcess":
        self.start().wait_ready()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
