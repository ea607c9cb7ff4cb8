"""`driftloop models reproduce --audit`: random versions rebuilt, each result an event."""

from contextlib import closing

import click
import msgspec
from rich.console import Console

from driftloop.adapters.kafka import Producer, Publisher, create_topics, read_topic
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.cli.context import current_stack
from driftloop.cli.model_changes import registry_client
from driftloop.cli.model_state import model_state
from driftloop.cli.output import emit, table
from driftloop.cli.reproduce import rebuilt
from driftloop.code_version import code_version
from driftloop.contracts.codec import decode_event
from driftloop.contracts.events import ReproductionLevel, VersionReproduced
from driftloop.contracts.topics import CONTROL_TOPICS, REPRODUCTIONS
from driftloop.crashpoints import crash_point
from driftloop.errors import IntegrityError, InvalidMessage, UserError
from driftloop.lineage.audit import chosen, event_id, not_rebuilt, recorded
from driftloop.settings import Environment, replication

MAX_NAME_CHARACTERS = 200


def run_audit(name: str, count: int, audit: str, compare_again: bool, as_json: bool) -> list[ReproductionLevel]:
    """The levels of all versions of the audit, those recorded by an earlier attempt included."""
    if not audit.isprintable() or not 0 < len(audit) <= MAX_NAME_CHARACTERS:
        raise UserError(f"an audit's name has 1 to {MAX_NAME_CHARACTERS} printable characters")
    stack = current_stack()
    model = model_state(registry_client(), name)
    versions, store = chosen(model, count, audit), MinioObjectStore(stack.s3)
    if not versions:
        raise UserError(f"the model {model.model} has no version to audit")
    create_topics(
        stack.kafka_bootstrap,
        [topic for topic in CONTROL_TOPICS if topic.name == REPRODUCTIONS],
        replication=replication(Environment("cli")),
    )
    known = {e.version: e for e in reproductions(stack.kafka_bootstrap) if (e.audit, e.model) == (audit, model.model)}
    results = []
    with closing(Producer(stack.kafka_bootstrap, client_id="driftloop-audit")) as producer:
        publisher = Publisher(producer, source="driftloop/cli")
        for number, version in enumerate(versions, 1):
            click.echo(f"audit {audit}: version {version.version}, {number} of {len(versions)}", err=True)
            event = known.get(version.version)
            if event is None:
                try:
                    event = recorded(rebuilt(store, model, version.version, compare_again), audit)
                except (IntegrityError, UserError) as exc:
                    event = not_rebuilt(model.model, version, audit, code_version(), str(exc))
                crash_point("audit.before-event")
                publisher.publish(REPRODUCTIONS, event, key=model.model, id=event_id(audit, model.model, version.version))
            results.append(event)
    data = {"audit": audit, "model": model.model, "versions": [msgspec.to_builtins(event) for event in results]}
    emit(data, as_json, lambda console: _show(console, audit, results))
    return [event.level for event in results]


def reproductions(bootstrap: str) -> list[VersionReproduced]:
    """Everything that audits have recorded, each once, oldest first."""
    by_id: dict[str, tuple[str, VersionReproduced]] = {}
    for record in read_topic(bootstrap, REPRODUCTIONS):
        try:
            event, about = decode_event(record.value, record.headers)
        except InvalidMessage as exc:
            click.echo(f"passed over offset {record.offset} of {record.topic}[{record.partition}]: {exc}", err=True)
            continue
        if isinstance(event, VersionReproduced):
            by_id.setdefault(about.id, (about.time.isoformat(), event))
    return [event for _, event in sorted(by_id.values(), key=lambda found: found[0])]


def _show(console: Console, audit: str, results: list[VersionReproduced]) -> None:
    rows = ([e.version, e.level, e.reason or ", ".join(d.what for d in e.differences) or None, f"{e.seconds:.1f}"] for e in results)
    console.print(table(f"audit {audit}", ["version", "level", "differs", "seconds"], rows))
