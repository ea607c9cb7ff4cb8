"""Versions made again from their pins: one, or an audit of several, each result an event."""

from contextlib import closing

from driftloop.adapters.kafka import Producer, Publisher, create_topics
from driftloop.client.arguments import Say
from driftloop.client.connections import Connections
from driftloop.client.models import model
from driftloop.client.told_events import reproductions
from driftloop.contracts.events import VersionReproduced
from driftloop.contracts.topics import CONTROL_TOPICS, REPRODUCTIONS
from driftloop.contracts.values import ModelName, Part
from driftloop.lineage.audit import audit_name, run_audit
from driftloop.lineage.rebuilding import VersionProgress, rebuilt
from driftloop.lineage.reproduction import Reproduction
from driftloop.settings import Environment, replication

FOLDER = "reproduce"  # below the installation's home


class AuditResult(Part, frozen=True, kw_only=True):
    """What the audit has recorded of each version, in order."""

    audit: str
    model: ModelName
    versions: tuple[VersionReproduced, ...]


def reproduction(to: Connections, name: str, version: int, *, compare_again: bool, on_progress: VersionProgress) -> Reproduction:
    """Raises UserError, IntegrityError when something that it was made from is gone or damaged, TransientError."""
    known = model(to.registry, name).state()
    return rebuilt(to.store, known, version, to.installation.home / FOLDER, compare_again=compare_again, on_progress=on_progress)


def audited(
    to: Connections, name: str, count: int, audit: str, *, compare_again: bool, on_progress: VersionProgress, say: Say
) -> AuditResult:
    """Rebuild ``count`` versions, and record what came of each; those recorded under this audit's name before are taken as they are.

    Raises UserError, TransientError: repeated under its name, the audit goes on where it was.
    """
    audit_name(audit)
    known = model(to.registry, name).state()
    topics = [topic for topic in CONTROL_TOPICS if topic.name == REPRODUCTIONS]
    create_topics(to.kafka, topics, replication=replication(Environment("cli")))
    before = {t.event.version: t.event for t in reproductions(to.topics, known.model, say) if t.event.audit == audit}
    root = to.installation.home / FOLDER
    with closing(Producer(to.kafka, client_id="driftloop-audit")) as producer:
        results = run_audit(
            known,
            count,
            audit,
            recorded_before=before,
            rebuild=lambda version: rebuilt(to.store, known, version, root, compare_again=compare_again, on_progress=on_progress),
            publisher=Publisher(producer, source="driftloop/cli"),
            on_version=lambda version, number, of: say(f"audit {audit}: version {version}, {number} of {of}"),
        )
    return AuditResult(audit=audit, model=known.model, versions=tuple(results))
