"""Control topics are read by one reader: nobody else connects to a topic by its partitions, or makes events of records."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ("libs", "services") for path in (ROOT / folder).rglob("src/**/*.py"))

# What makes a consumer of partitions: the classes, the port's method, and what reads a whole topic.
CONNECTS = {"AssignedConsumer", "KafkaConsumer", "reader", "read_topic", "stream_topic"}
CONNECTING = {
    "driftloop/history/log_reader.py": "the one reader",
    "driftloop/history/log_end.py": "asks for the end of a log, and reads nothing",
    "driftloop/history/lake_lag.py": "asks for the ends of data topics, and reads nothing",
    "driftloop/adapters/kafka_consumer.py": "defines the consumers",
    "driftloop/adapters/kafka_topics.py": "keeps the port that the one reader connects through",
    "driftloop/adapters/kafka_admin.py": "reads data topics to their ends, for those below",
    "driftloop/client/rejected_messages.py": "quarantine is a data topic of whatever bytes were rejected",
    "driftloop/client/redriving.py": "reads quarantine, to send what is in it again",
    "driftloop/redrive/arrivals.py": "looks in data topics for what was sent again, and asks where they end",
    "driftloop/client/topic_sample.py": "looks at somebody else's topic, before there is a project",
    "driftloop/client/status.py": "asks how many messages quarantine got in an hour, and reads nothing",
    "driftloop/service/topic_ends.py": "asks where data topics end, and reads nothing",
    "driftloop/client/accepted_gaps.py": "asks where a data topic begins and ends",
    "driftloop/demo/results.py": "counts the records of the data topics",
    "driftloop/demo/run.py": "asks whether a data topic is empty",
    "driftloop/service/broker.py": "for the predictor, which looks back from the end of a data topic for the last range (positions.py)",
}
# What makes an event of a record.
DECODING = {
    "driftloop/history/events.py": "the one rule for what cannot be read and for repeated ids",
    "driftloop/service/event_worker.py": "hands each event to a handler, once, as a member of a group",
    "driftloop_monitor/assembly_runner.py": "folds window sketches with the offset in its own table, as a faust agent",
}


def calls(path: Path) -> Iterator[str]:
    """Names of what a module calls, however it is reached."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                yield node.func.id
                if node.func.id == "connected":  # makes what it is given
                    yield from (given.id for given in node.args if isinstance(given, ast.Name))
            elif isinstance(node.func, ast.Attribute):
                yield node.func.attr


def name_of(path: Path) -> str:
    return path.as_posix().rpartition("/src/")[2]


def test_only_the_one_reader_connects_to_a_control_topic() -> None:
    assert {name_of(path) for path in SOURCES if CONNECTS & set(calls(path))} == set(CONNECTING)


def test_records_become_events_in_few_places() -> None:
    assert {name_of(path) for path in SOURCES if "decode_event" in calls(path)} == set(DECODING)
