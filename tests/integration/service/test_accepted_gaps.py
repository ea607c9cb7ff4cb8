"""Messages that are gone for good: every service stops at them, and goes on once somebody has put them on record."""

import json
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.integration.monitor.worker import Worker
from tests.integration.predictor.harness import World, world
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.unit.predictor.samples import request_json

from driftloop.adapters.kafka import read_topic
from driftloop.cli.lake import lake
from driftloop.contracts import topics
from driftloop.demo.conservation import Conservation, conservation
from driftloop.errors import ObjectNotFound
from driftloop.lake.gaps import accepted_gaps
from driftloop.lake.table import LakeTable
from driftloop.local.s3 import S3Access
from driftloop.ports import Record
from driftloop.settings import S3Settings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # importing kafka emits some
    from kafka import KafkaAdminClient, TopicPartition

SCORED, LOST, LEFT = 20, 7, 3  # requests of partition 0: accounted for, expired unread, still there
SECOND = "1"  # s


class Loop:
    """Predictor, ingest and monitor of one stream, and a person at the command line."""

    def __init__(self, stream: World, s3: S3Access, folder: Path) -> None:
        self.stream, self.s3, self.folder = stream, s3, folder
        self.settings = S3Settings(**asdict(s3))
        self.workers: list[Worker] = []
        self._sent: dict[int, Record] = {}  # by offset; the broker forgets some

    def start(self, service: str) -> Worker:
        variables = {"DRIFTLOOP_INGEST_FLUSH_SECONDS": SECOND} if service == "ingest" else {}
        worker = Worker(
            f"{service}-0", variables, bootstrap=self.stream.bootstrap, access=self.s3, folder=self.folder, project=self.stream.name
        )
        self.workers.append(worker)
        return worker

    def send(self, start: int, end: int) -> None:
        self.stream.send([request_json(n) for n in range(start, end)], partition=0)
        self._sent |= {record.offset: record for record in self.stream.sent()}

    def expire(self, topic: str, before: int) -> None:
        admin = KafkaAdminClient(bootstrap_servers=self.stream.bootstrap)
        admin.delete_records({TopicPartition(topic, 0): before})
        admin.close()

    def table(self, name: str) -> LakeTable:
        return LakeTable.open(self.settings, self.stream.name, name)

    def rows(self) -> int:
        try:
            return self.table("inferences").read(["event_id"]).num_rows
        except ObjectNotFound:
            return 0

    def accept(self, topic: str, start: int, end: int, *more: str) -> "dict[str, object] | str":
        """The command's answer, or what it said instead."""
        given = [
            "accept-gap",
            self.stream.name,
            f"{topic}-0",
            str(start),
            str(end),
            "--reason",
            "a week without power",
            "--by",
            "Kim",
            *more,
        ]
        result = CliRunner().invoke(lake, [*given, "--json"])
        return result.stderr if result.exit_code else dict(json.loads(result.stdout))

    def conservation(self, acknowledged: int) -> Conservation:
        name, bootstrap = self.stream.name, self.stream.bootstrap
        tables = self.table("inferences"), self.table("labels")
        return conservation(
            name,
            requests=list(self._sent.values()),
            labels=read_topic(bootstrap, topics.labels(name)),
            quarantine=read_topic(bootstrap, topics.quarantine(name)),
            inferences_table=tables[0].read(["partition", "event_id", "request_offset"]),
            labels_table=tables[1].read(["partition", "event_id", "offset"]),
            acknowledged=(acknowledged, 0),
            gaps=[gap for table in tables for gap in accepted_gaps(table)],
        )


@pytest.fixture
def loop(kafka_bootstrap: str, s3: S3Access, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loop]:
    for name, secret in (("access", s3.access_key), ("secret", s3.secret_key)):
        (tmp_path / f"cli-{name}").write_text(secret)
    variables = {
        "KAFKA_BOOTSTRAP": kafka_bootstrap,
        "S3_ENDPOINT": s3.endpoint,
        "S3_BUCKET": s3.bucket,
        "S3_REGION": s3.region,
        "S3_ACCESS_KEY_FILE": str(tmp_path / "cli-access"),
        "S3_SECRET_KEY_FILE": str(tmp_path / "cli-secret"),
        "REGISTRY_URL": "http://unused",
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"DRIFTLOOP_CLI_{name}", value)
    with world(kafka_bootstrap, s3, f"g{unique}", tmp_path) as stream:
        made = Loop(stream, s3, tmp_path)
        yield made
        for worker in made.workers:
            worker.kill()


def ends_at_the_gap(worker: Worker, said: str) -> None:
    assert worker.process.wait(PATIENCE_SECONDS) == 1
    assert said in worker.tail()
    assert "driftloop lake accept-gap --help" in worker.tail()


def test_requests_and_inferences_that_expired_unread_are_given_up_by_name_and_every_service_goes_on(loop: Loop) -> None:
    requests, inferences = topics.requests(loop.stream.name), topics.inferences(loop.stream.name)
    predictor, ingest, monitor = (loop.start(service) for service in ("predictor", "ingest", "monitor"))
    loop.send(0, SCORED)
    wait_until(lambda: predictor.alive() and ingest.alive() and monitor.alive() and loop.rows() == SCORED, "the first rows in the lake")
    wait_until(lambda: monitor.status().get("durable", {}).get("0", 0) or monitor.status().get("durable"), "the monitor to store its fold")
    assert predictor.terminate() == 0
    loop.send(SCORED, SCORED + LOST + LEFT)
    loop.expire(requests, SCORED + LOST)

    ends_at_the_gap(loop.start("predictor"), f"{requests}-0: requests {SCORED} to {SCORED + LOST - 1} expired before they were scored")
    assert "ends at offset" in str(loop.accept(requests, SCORED, 1000))
    record = loop.accept(requests, SCORED, SCORED + LOST)
    assert isinstance(record, dict), record
    assert {name: record[name] for name in ("start", "end", "reason", "by")} == {
        "start": SCORED,
        "end": SCORED + LOST,
        "reason": "a week without power",
        "by": "Kim",
    }
    again = loop.start("predictor")
    wait_until(lambda: again.alive() and ingest.alive() and monitor.alive() and loop.rows() == SCORED + LEFT, "the rows after the gap")
    found = loop.conservation(SCORED + LOST + LEFT)
    assert found.ok, found
    assert (found.missing, found.lake) == (LOST, SCORED + LEFT)

    wait_until(lambda: monitor.alive() and monitor.in_flight() == 0, "the monitor to store what it folded")
    assert monitor.terminate() == 0
    more = SCORED + LOST + LEFT
    loop.send(more, more + 5)
    wait_until(lambda: again.alive() and ingest.alive() and loop.rows() == SCORED + LEFT + 5, "rows that the monitor has not read")
    end = loop.table("inferences").cursors()
    (read,) = (cursor for name, cursor in end.items() if name.endswith("/0") and not name.startswith("driftloop-requests"))
    assert "holds the messages from offset" in str(loop.accept(inferences, 0, read))
    loop.expire(inferences, read)
    ends_at_the_gap(loop.start("monitor"), "expired before they were read")
    accepted = loop.accept(inferences, 0, read)
    assert isinstance(accepted, dict), accepted
    monitor = loop.start("monitor")
    loop.send(more + 5, more + 8)
    wait_until(lambda: monitor.alive() and monitor.status().get("partitions"), "the monitor to fold what came after")
    wait_until(lambda: again.alive() and ingest.alive() and loop.rows() == SCORED + LEFT + 8, "the last rows")
    assert loop.conservation(more + 8).ok
