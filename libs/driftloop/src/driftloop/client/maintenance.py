"""What ingest and the registry's people do now and then, at once and by hand: small files merged, unnamed files and bytes deleted."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from driftloop.client.arguments import Say
from driftloop.client.connections import Connections
from driftloop.client.models import model
from driftloop.client.told_events import runs
from driftloop.contracts.names import is_name
from driftloop.errors import ObjectNotFound, UserError
from driftloop.lake.compaction_plan import CompactionRules
from driftloop.lake.log_archive import LogArchived, archive_log
from driftloop.lake.maintenance import Compacted, compact
from driftloop.lake.table import LakeTable
from driftloop.lake.vacuum import Candidates, Cleaned, clean, look
from driftloop.lineage.model_bytes import Deleted, deleted_versions, remove, unfailed_runs

TableProgress = Callable[[str, int, int], None]  # table, done, known so far


def compacted(to: Connections, stream: str, *, dry_run: bool, on_progress: TableProgress) -> list[Compacted]:
    """Of each table. Raises UserError, TransientError; what was committed until then stays."""

    def one(table: LakeTable) -> Compacted:
        return compact(
            table,
            to.store,
            CompactionRules(),
            everything=True,
            dry_run=dry_run,
            progress=lambda done, known: on_progress(table.table, done, known),
        )

    return [one(table) for table in stream_tables(to, stream)]


def vacuum_plan(to: Connections, stream: str, grace: timedelta) -> dict[str, Candidates]:
    """By table, what ``vacuumed`` would do; changes nothing. Raises UserError, IntegrityError, TransientError."""
    return {table.table: look(table, to.store, grace=grace, now=datetime.now(UTC)) for table in stream_tables(to, stream)}


def vacuumed(to: Connections, stream: str, grace: timedelta, on_progress: TableProgress) -> dict[str, Cleaned]:
    """By table. Raises UserError, IntegrityError, TransientError; safe to repeat."""

    def one(table: LakeTable) -> Cleaned:
        return clean(
            table,
            to.store,
            grace=grace,
            now=lambda: datetime.now(UTC),
            progress=lambda _, done, known: on_progress(table.table, done, known),
        )

    return {table.table: one(table) for table in stream_tables(to, stream)}


def archived(to: Connections, stream: str, keep: timedelta, *, dry_run: bool) -> list[LogArchived]:
    """Of each table, old entries of its log. Raises UserError, TransientError, IntegrityError; safe to repeat."""
    now = datetime.now(UTC)
    return [archive_log(table, to.store, keep=keep, now=now, dry_run=dry_run) for table in stream_tables(to, stream)]


def deleted_version_bytes(to: Connections, name: str, before: datetime, *, dry_run: bool, say: Say) -> list[Deleted]:
    """Model files of versions that were deleted ``before``: removed, unless something holds them or ``dry_run``.

    Raises UserError, TransientError; safe to repeat.
    """
    pinned = unfailed_runs(runs(to.topics, say))  # before the registry: a run that ends in between is then a version there
    found = deleted_versions(to.store, model(to.registry, name).state(), pinned, before=before)
    if not dry_run:
        remove(to.store, found)
    return found


def stream_tables(to: Connections, stream: str) -> list[LakeTable]:
    """Inferences and labels. Raises UserError, TransientError."""
    if not is_name(stream):
        raise UserError(f"{stream[:80]!r} is no name of a stream: lower-case letters, digits and hyphens, at most 63")
    try:
        return [LakeTable.open(to.s3, stream, name) for name in ("inferences", "labels")]
    except ObjectNotFound as exc:
        raise UserError(f"the lake holds no stream {stream}; see `driftloop datasets list`") from exc
