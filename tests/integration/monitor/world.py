"""A registered project with two model versions on a real broker and store, its traffic, and monitor processes to torment."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.compute as pc
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata
from tests.integration.monitor.worker import Worker
from tests.support.clients import KafkaAdminClient, KafkaConsumer, TopicPartition
from tests.support.registered import register_command
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.unit.monitoring.traffic import HOUR, START, make_profile, make_project, make_rows, message

from driftloop.adapters.kafka import KafkaTopics, Producer, Publisher, create_topics, partitions_of, read_topic
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.artifact.model_files import FILES, PROFILE, Manifest, store_model, stored_files
from driftloop.client.partitions import grown
from driftloop.contracts.codec import decode_event
from driftloop.contracts.commands import RegisterVersion
from driftloop.contracts.events import Event, WindowSketched
from driftloop.contracts.headers import ARROW, CONTENT_TYPE, watermark_header
from driftloop.contracts.topics import CONTROL_TOPICS, REGISTRY_LOG, inferences, labels, stream_topics
from driftloop.contracts.values import TrainingPins
from driftloop.errors import ConfigurationError, InvalidMessage
from driftloop.local.s3 import S3Access
from driftloop.monitoring.partition_state import stored_state
from driftloop.rows.arrow_stream import encode_table
from driftloop.rows.schemas import label_schema
from driftloop.settings import S3Settings
from driftloop.statistics.profile import Profile
from driftloop_monitor.faust_support.written_values import read

PARTITIONS = 4
ROWS_PER_MESSAGE = 500
MESSAGES = 30  # per partition: 60,000 rows in all
WINDOWS = 6


class World:
    """One stream, by a name that no other test uses."""

    def __init__(self, bootstrap: str, access: S3Access, name: str, folder: Path, *, min_new_labels: int = 50) -> None:
        self.bootstrap, self.access, self.folder = bootstrap, access, folder
        self.project = make_project(name, min_new_labels)
        self.s3 = S3Settings(**asdict(access))
        self.store = MinioObjectStore(self.s3)
        self.partitions = PARTITIONS
        self.profiles: dict[int, Profile] = {}
        create_topics(bootstrap, (*CONTROL_TOPICS, *stream_topics(name, PARTITIONS)))
        self.producer = Producer(bootstrap, client_id=f"test-{name}")
        self.publisher = Publisher(self.producer, source="driftloop/test")
        self.workers: list[Worker] = []
        self.sent: list[pa.Table] = []
        self._requests = dict.fromkeys(range(PARTITIONS), 0)
        self._register_project()
        for version in (1, 2):
            self.add_version(version)

    def add_version(self, version: int) -> None:
        """Store a model whose only real file is its profile, and register it."""
        self.profiles[version] = make_profile(self.project, seed=version)
        contents = {file: file.encode() for file in FILES} | {PROFILE: self.profiles[version].encode()}
        pins = _pins()
        manifest = Manifest(
            model=self.project.model,
            request_id=f"r{version}",
            schema_fingerprint=self.project.schema.fingerprint(),
            recipe="all",
            rows=2000,
            pins=pins,
            measurements=None,
            environment={},
            files=stored_files(contents),
        )
        digest = store_model(self.store, manifest, contents)
        name = self.project.model
        command = RegisterVersion(
            command_id=f"{name}-v{version}",
            at=datetime.now(UTC),
            actor="test",
            reason="t",
            model=name,
            request_id=f"r{version}",
            manifest=digest,
            pins=pins,
        )
        self._command(command, f"{name}-v{version}")

    def send(self, messages: int = MESSAGES, pause_seconds: float = 0.0, *, enough: Callable[[], bool] = lambda: True) -> None:
        """``messages`` to each partition, spread over WINDOWS hours, versions (or none) taking turns; then in the last one until enough."""
        for i in count():
            if i >= messages and enough():
                return
            for partition in range(self.partitions):
                version = (1, 2, None)[(i // 7 + partition) % 3]
                span = WINDOWS * HOUR / messages
                first = START + min(i, messages - 1) * span
                times = [first + j * span / ROWS_PER_MESSAGE for j in range(ROWS_PER_MESSAGE)]
                start = self._requests[partition]
                rows = make_rows(self.project, times, version=version, seed=i * 16 + partition, first_request=start)
                self.send_rows(rows, partition)
            self.producer.flush()
            time.sleep(pause_seconds)

    @contextmanager
    def sending(self, messages: int = MESSAGES, pause_seconds: float = 0.3) -> Iterator[None]:
        """Traffic for as long as the block runs, and ``messages`` at least; after it, the watermark that closes all windows."""
        failure: list[BaseException] = []
        block_ended = threading.Event()

        def work() -> None:
            try:
                self.send(messages, pause_seconds, enough=block_ended.is_set)
            except BaseException as exc:  # noqa: BLE001 - raised in the test's thread
                failure.append(exc)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield
        finally:
            block_ended.set()
            thread.join(PATIENCE_SECONDS)
        assert not failure, failure
        assert not thread.is_alive(), "the traffic was not sent in time"
        self.close_windows(WINDOWS)

    def add_partitions(self, partitions: int) -> None:
        """As the command does; traffic takes them up with its next round."""
        topics = KafkaTopics(self.bootstrap, client_id="test")
        grown(SimpleNamespace(kafka=self.bootstrap, topics=topics), self.project.stream, partitions)  # type: ignore[arg-type]
        self._requests |= dict.fromkeys(range(self.partitions, partitions), 0)
        self.partitions = partitions

    def make_inferences_anew(self) -> None:
        """With nothing of what it held; the requests go on."""
        topic = inferences(self.project.stream)
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        admin.delete_topics([topic])
        admin.close()

        def made() -> bool:
            create_topics(self.bootstrap, [t for t in stream_topics(self.project.stream, self.partitions) if t.name == topic])
            with suppress(ConfigurationError):  # it is still being deleted
                return bool(partitions_of(self.bootstrap, topic))
            return False

        wait_until(made, f"{topic} to be made anew")
        self.producer.close()  # it would go on counting where it was
        self.producer = Producer(self.bootstrap, client_id=f"test-{self.project.stream}-anew")

    def send_rows(self, rows: pa.Table, partition: int, watermark: datetime | None = None) -> None:
        start = self._requests[partition]
        value, headers = message(rows, start, partition=partition, watermark=watermark)
        self.producer.send(inferences(self.project.stream), value, partition=partition, headers=headers)
        self._requests[partition] = start + rows.num_rows
        self.sent.append(rows)

    def next_request(self, partition: int) -> int:
        return self._requests[partition]

    def close_windows(self, hours: int) -> None:
        """A watermark to every partition."""
        for partition in range(self.partitions):
            self.send_rows(make_rows(self.project, []), partition, START + hours * HOUR)
        self.producer.flush()

    def rows(self) -> pa.Table:
        return pa.concat_tables(self.sent)

    def events(self, topic: str) -> list[tuple[str, Event]]:
        """(id, event) of this stream or model, in the order of their partition."""
        found = []
        for record in read_topic(self.bootstrap, topic):
            try:
                event, about = decode_event(record.value, record.headers)
            except InvalidMessage:  # a stranger's, as every reader passes over it
                continue
            if self.project.stream in (getattr(event, "stream", None), getattr(event, "model", None)):
                found.append((about.id, event))
        return found

    def sketches(self) -> list[WindowSketched]:
        return [event for _, event in self.events("window-sketches") if isinstance(event, WindowSketched)]

    def committed(self) -> dict[int, int]:
        """The group's offsets on inferences, by partition."""
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, group_id=f"monitor-{self.project.stream}", enable_auto_commit=False)
        offsets = {p: consumer.committed(TopicPartition(inferences(self.project.stream), p)) for p in range(self.partitions)}
        consumer.close()
        return {p: int(offset) for p, offset in offsets.items() if offset is not None}

    def commit_ends(self) -> None:
        """Move the group, once it is empty, to the ends of inferences."""
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, group_id=f"monitor-{self.project.stream}", enable_auto_commit=False)
        tps = [TopicPartition(inferences(self.project.stream), p) for p in range(self.partitions)]
        consumer.assign(tps)
        offsets = {tp: OffsetAndMetadata(end, "", -1) for tp, end in consumer.end_offsets(tps).items()}

        def committed() -> bool:
            with suppress(KafkaError):  # a killed member's session has to run out first
                consumer.commit(offsets)
            return self.committed() == {tp.partition: offset.offset for tp, offset in offsets.items()}

        wait_until(committed, "the group to take its new offsets")
        consumer.close()

    def stored_offsets(self) -> dict[int, int]:
        """The offsets that the newest table values in the changelog go on from."""
        newest: dict[int, dict[bytes, bytes]] = {}
        for record in read_topic(self.bootstrap, f"monitor-{self.project.stream}-folds-changelog"):
            key = (record.key or b"").partition(b"/")[2]  # behind the partition's number
            held = newest.setdefault(record.partition, {})
            held.pop(key, None)
            if record.value is not None:
                held[key] = record.value
        states = {partition: stored_state(read(held).values) for partition, held in newest.items()}
        return {partition: state.next_offset for partition, state in states.items() if state is not None}

    def label_everything(self, hours: int) -> None:
        """A label for every row sent so far, known a minute after its event, then the watermark of that time everywhere."""
        rows = self.rows()
        times = rows.column("event_time")
        known = pc.add(times, pa.scalar(timedelta(minutes=1)))
        truth = pc.greater(pc.fill_null(rows.column("score"), 0.0), 0.5)
        columns = [rows.column("event_id"), times, truth, known.cast(times.type)]
        table = pa.Table.from_arrays(columns, schema=label_schema(self.project.schema))
        arrow = ((CONTENT_TYPE, ARROW.encode()),)
        for i, start in enumerate(range(0, table.num_rows, 1000)):
            value = encode_table(table.slice(start, 1000).combine_chunks())
            self.producer.send(labels(self.project.stream), value, key=b"k", partition=i % self.partitions, headers=arrow)
        for partition in range(self.partitions):
            mark = watermark_header(START + hours * HOUR)
            self.producer.send(labels(self.project.stream), b"", key=b"k", partition=partition, headers=(mark,))
        self.producer.flush()

    def start_worker(self, instance: str = "monitor-0", **variables: str) -> Worker:
        worker = Worker(instance, variables, bootstrap=self.bootstrap, access=self.access, folder=self.folder, project=self.project.name)
        self.workers.append(worker)
        return worker

    def stop(self) -> None:
        for worker in self.workers:
            worker.kill()
        self.producer.close()

    def _register_project(self) -> None:
        command = register_command(self.project, self.store, datetime.now(UTC))
        self._command(command, command.command_id)

    def _command(self, command: Event, cause: str) -> None:
        self.publisher.publish(REGISTRY_LOG, command, key=self.project.name, id=cause)


def wait_for_windows(world: World, windows: int = WINDOWS) -> list[WindowSketched]:
    """Until every partition has sketched that many windows."""
    sketches: list[WindowSketched] = []

    def complete() -> bool:
        sketches[:] = world.sketches()
        assert any(worker.process.poll() is None for worker in world.workers), f"no worker lives: {world.workers[-1].tail()}"
        return len({(s.window.start, s.partition) for s in sketches}) >= windows * PARTITIONS

    wait_until(complete, f"{windows} windows of each of {PARTITIONS} partitions")
    return sketches


def _pins() -> TrainingPins:
    digest = "0" * 64
    return TrainingPins(
        snapshot=digest,
        project=digest,
        environment=digest,
        code="t",
        seed=0,
        threads=1,
        evaluation_window=None,
        champion_version=None,
        champion_epoch=0,
    )
