"""Whatever makes values of foreign bytes is thrown any bytes at: it stands in ``tests/unit/rows/decoders``, or reads what is no message."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from tests.unit.rows.decoders import DECODERS

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ("libs", "services") for path in (ROOT / folder).rglob("src/**/*.py"))

MAKES_VALUES = {"loads", "fromisoformat", "fromtimestamp", "open_stream", "convert", "Decoder"}
FORMATS = {"json", "msgpack", "toml", "yaml"}  # of msgspec: their ``decode`` makes values, too

# Modules that read what is no message of a topic, and whose it is; a refusal of theirs means something else than quarantine.
NO_MESSAGES = {
    # What the program has stored itself: a state that cannot be read is made anew or ends the process with its name.
    "driftloop.adapters.registry_view": "the registry's own SQLite file",
    "driftloop.history.checkpoint": "its own checkpoint, under a digest",
    "driftloop.history.events": "its own checkpoint",
    "driftloop.history.model_history": "its own checkpoint",
    "driftloop.history.redrives": "its own checkpoint",
    "driftloop.monitoring.assembly": "the monitor's own table",
    "driftloop.monitoring.assembled_window": "the monitor's own table",
    "driftloop.monitoring.held_counts": "the monitor's own table",
    "driftloop.monitoring.partition_state": "the monitor's own table",
    "driftloop.registry.stored_state": "its own checkpoint",
    "driftloop.local.addresses": "the local stack's own file",
    "driftloop.local.kept_instances": "the local stack's own file",
    "driftloop_console.record": "its own checkpoint",
    "driftloop_predictor.last_good": "the predictor's own folder",
    # Objects of the bucket and of the lake's log: IntegrityError names the one that is damaged.
    "driftloop.artifact.model_files": "manifests of models",
    "driftloop.artifact.skops_file": "model files, within the limits of their archive",
    "driftloop.artifact.estimators.catboost_binary": "files of a version's estimators, changed by tests/unit/artifact/damaged_estimators",
    "driftloop.artifact.estimators.lightgbm_text": "files of a version's estimators, changed by tests/unit/artifact/damaged_estimators",
    "driftloop.artifact.estimators.of_catboost": "what CatBoost says of its own model after a fit",
    "driftloop.artifact.estimators.stored": "what stands in a skops file for an estimator, under its digest",
    "driftloop.artifact.estimators.xgboost_json": "files of a version's estimators, changed by tests/unit/artifact/damaged_estimators",
    "driftloop.lake.archived_log": "the lake's log",
    "driftloop.lake.commit_log": "the lake's log",
    "driftloop.lake.log_archive": "the lake's log",
    "driftloop.lake.notes": "the lake's log",
    "driftloop.lake.pin_index": "the lake's index of pins",
    "driftloop.lake.snapshot": "manifests of snapshots, under their digest",
    "driftloop.lineage.reproduction": "a version's lineage, under its digest",
    "driftloop.lineage.version_chain": "a version's lineage, under its digest",
    "driftloop.contracts.typed": "no bytes at all: makes types known",
    "driftloop.datasets.versions": "times of the lake's log",
    "driftloop.service.accepted_gaps": "records of gaps",
    "driftloop.statistics.profile": "profiles, under their digest",
    "driftloop_registry.stored_models": "manifests of models",
    # What a person wrote or typed: UserError says what is wrong and where.
    "driftloop.client.arguments": "what a caller typed",
    "driftloop.redrive.changes": "what a caller typed",
    "driftloop.cli.models.recalibrations": "what a caller typed",
    "driftloop_registry.recalibration_calls": "a call's body, which HTTP has parsed",
    "driftloop.project.reading": "driftloop.toml",
    "driftloop.project.conversion": "driftloop.toml",
    "driftloop.project.notify_tables": "driftloop.toml",
    "driftloop.project.policy_file": "a policy's file",
    "driftloop.client.replayed_decisions": "a journal that a caller names",
    # Answers of its own processes and services.
    "driftloop.client.model_changes": "the registry's answer",
    "driftloop.client.models": "the registry's answer",
    "driftloop.client.watching": "the registry's answer",
    "driftloop.client.topic_sample": "records of somebody else's topic: what is no JSON object is counted and passed over",
    "driftloop.rows.existing.whole": "records of somebody else's topic, for people: what cannot be read is counted",
    "driftloop.rows.existing.contents": "values that have been read, for people",
    "driftloop.rows.existing.avro_schema": "schemas of the registry; one that is none refuses its records",
    "driftloop.adapters.schema_registry": "the schema registry's answer",
    "driftloop.adapters.kafka_tokens": "the token endpoint's answer",
    "driftloop.client.status_words": "what a service says of itself",
    "driftloop.training.process": "the training process",
    "driftloop_console.asking": "its own process's answer",
    "driftloop_console.policies": "its own process's answer",
    "driftloop_console.retrain_record": "its own checkpoint; evidence of a decision that was decoded, left out when it is none",
    "driftloop_console.answers": "the console's question",
    "driftloop_console.html": "evidence that its own fold has written",
    "driftloop.backtest.fits": "the backtest's fitting processes",
    "driftloop.backtest.worker": "the backtest's task",
    "driftloop.training.run_job": "the trainer's job",
    "driftloop.training.workspace": "a version's lineage, under its digest",
    "driftloop_trainer.environments": "the training process",
    # What a decoder has checked before.
    "driftloop.monitoring.late_labels": "evidence that history.decisions has taken",
    "driftloop.monitoring.policy": "evidence that history.decisions has taken",
    "driftloop.monitoring.replay": "evidence that history.decisions, or a journal's reader, has taken",
    "driftloop_monitor.decider": "evidence that history.decisions has taken",
    # The time of a record, as a log line says it.
    "driftloop.telemetry": "its own clock",
    "driftloop.demo.sent_rows": "what the demo sent itself",
    "driftloop.client.rejected_messages": "the broker's time of a record",
}
PARTS = {
    "driftloop.service.quarantine:fetched": "an object of the bucket, under its digest",
    "driftloop.rows.existing.protobuf:_whole": "records of somebody else's topic, for people: what cannot be read is counted",
}  # of modules that decode messages, too


def module_of(path: Path) -> str:
    return path.with_suffix("").as_posix().rpartition("/src/")[2].replace("/", ".")


def makes_values(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name):
        return node.func.id == "decoded"  # of contracts.foreign_json
    if not isinstance(node.func, ast.Attribute):
        return False
    of = node.func.value
    if node.func.attr == "decode":
        return isinstance(of, ast.Attribute) and of.attr in FORMATS
    return node.func.attr in MAKES_VALUES


def found_in(code: str) -> Iterator[str]:
    """Names of the outermost functions that make values of bytes, methods with their class; empty for the module itself."""
    for outer in ast.parse(code).body:
        for name, part in _parts(outer):
            if any(makes_values(node) for node in ast.walk(part)):
                yield name


def _parts(node: ast.stmt) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, ast.ClassDef):
        for inner in node.body:
            yield f"{node.name}.{getattr(inner, 'name', '')}".rstrip("."), inner
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name, node
    else:
        yield "", node


@cache
def found() -> set[str]:
    """Of the whole library; a second's work, so not of every worker that collects this file."""
    return {f"{module_of(path)}:{name}" for path in SOURCES for name in found_in(path.read_text(encoding="utf-8"))}


NAMED = {function for decoder in DECODERS.values() for function in decoder.of}


def test_every_decoder_of_messages_is_thrown_any_bytes_at() -> None:
    of_messages = {function for function in found() if function.partition(":")[0] not in NO_MESSAGES}
    assert of_messages - set(PARTS) == NAMED, "a decoder is missing in tests/unit/rows/decoders.py, or is no more"


def test_no_module_is_excused_that_decodes_nothing() -> None:
    assert {function.partition(":")[0] for function in found()} >= set(NO_MESSAGES)
    assert set(PARTS) <= found()


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("def read(data):\n    return msgspec.json.decode(data, type=int)", ["read"]),
        ("def read(data):\n    return msgspec.msgpack.decode(data)", ["read"]),
        ("class Reader:\n    def __init__(self):\n        self.read = msgspec.json.Decoder(int).decode", ["Reader.__init__"]),
        ("_read = msgspec.json.Decoder(int).decode", [""]),
        ("def read(data):\n    def inner():\n        return json.loads(data)\n    return inner()", ["read"]),
        ("async def read(text):\n    return datetime.fromisoformat(text)", ["read"]),
        ("def read(data):\n    return decoded(data, int, 'a header')", ["read"]),
        ("def read(data):\n    return data.decode()", []),
        ("def read(record):\n    return decode_event(record.value, record.headers)", []),
    ],
)
def test_what_makes_values_of_bytes_is_found(code: str, names: list[str]) -> None:
    assert list(found_in(code)) == names
