"""Another system answers on a topic of its own: on a real broker each request gets its answer once, whoever is killed meanwhile."""

import msgspec
from tests.integration.predictor.harness import World, eventually
from tests.unit.predictor.samples import request_json

from driftloop.adapters.kafka import create_topics
from driftloop.contracts.commands import RegisterProject, WatchVersion
from driftloop.contracts.topics import Topic
from driftloop.contracts.values import PromotionRules
from driftloop.project.model import Project, archive_key
from driftloop.project.reading import parse_project
from driftloop.service.quarantine import Quarantined

ROWS, UNANSWERED = 4000, {7, 1234, 3999}
ANSWERS = """
[answers]
score = "p"
version = "by"
topic = "{topic}"
event_id = "request"
join_within = "2s"
"""


def served_elsewhere(stream: World, topic: str) -> Project:
    config = stream.project.files["driftloop.toml"].decode().replace("[project]\n", '[project]\nserved_by = "elsewhere"\n')
    return parse_project(stream.project.files | {"driftloop.toml": (config + ANSWERS.format(topic=topic)).encode()}, where="sample")


def register(stream: World, project: Project) -> None:
    stream.store.put(archive_key(project.name, project.digest()), project.archive())
    stream.command(
        RegisterProject,
        project=project.name,
        stream=project.stream,
        model=project.model,
        archive=project.digest(),
        schema_fingerprint=project.schema.fingerprint(),
        promotion=PromotionRules(),
        stream_schema=project.schema,
        served_by="elsewhere",
    )
    stream.command(WatchVersion, model=project.model, served_as="blue")


def accounted_for(stream: World) -> int:
    found = stream.account()
    return found.rows.num_rows + len(found.quarantined)


def test_each_request_gets_its_answer_once_though_the_process_is_killed(stream: World) -> None:
    topic = f"{stream.name}-scored"
    about = Topic(name=topic, partitions=3, key="any", carries="answers", written_by=("them",), read_by=("predictor",), plane="data")
    create_topics(stream.bootstrap, [about])
    stream.send([request_json(n) for n in range(ROWS)])
    for n in set(range(ROWS)) - UNANSWERED:
        stream.producer.send(topic, msgspec.json.encode({"request": f"e{n}", "p": n / ROWS, "by": "blue"}), partition=n % 3)
    stream.producer.send(topic, b"{", partition=0)
    stream.producer.flush()
    register(stream, served_elsewhere(stream, topic))
    with stream.predictor() as first:
        eventually("the first rows to be accounted for", lambda: accounted_for(stream) > 0)
        first.kill()
    with stream.predictor() as second:
        eventually(f"all requests to be accounted for, see {second.log}", lambda: accounted_for(stream) == ROWS)
        assert second.status()["watching"] == {"blue": 1}
    found = stream.account().rows.select(["event_id", "score", "model_version"]).to_pylist()
    assert {row["event_id"]: row["score"] for row in found} == {f"e{n}": n / ROWS for n in set(range(ROWS)) - UNANSWERED}
    assert {row["model_version"] for row in found} == {1}
    rejected: list[Quarantined] = stream.quarantined()
    assert {msgspec.json.decode(q.record.value)["event_id"] for q in rejected if q.record.value} == {f"e{n}" for n in UNANSWERED}
    assert all(q.reason.startswith(f"no answer on {topic} within 2 s") for q in rejected)
