"""What a command or a program can change in an installation; ``driftloop.Client`` asks, this does."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from driftloop.client.arguments import Say
from driftloop.client.connections import Connections
from driftloop.installation import Installation, current_installation

if TYPE_CHECKING:
    from driftloop.client.broker_rights import GivenRights
    from driftloop.client.maintenance import TableProgress
    from driftloop.client.model_changes import Changed
    from driftloop.client.notifications import Notification
    from driftloop.client.partitions import GrownTopic
    from driftloop.client.redrive_outcome import Redriven
    from driftloop.client.redriving import Asked
    from driftloop.client.reproductions import AuditResult
    from driftloop.client.watching import WatchedFrom
    from driftloop.contracts.events import RetrainReason
    from driftloop.contracts.existing_topics import ExistingTopics
    from driftloop.contracts.gaps import AcceptedGap
    from driftloop.contracts.recalibration import Recalibration
    from driftloop.lake.log_archive import LogArchived
    from driftloop.lake.maintenance import Compacted
    from driftloop.lake.vacuum import Cleaned
    from driftloop.lineage.model_bytes import Deleted
    from driftloop.lineage.rebuilding import VersionProgress
    from driftloop.lineage.snapshot_expiry import Expiry
    from driftloop.project.model import Project


def _silent(*_: object) -> None:
    """Nobody wants to hear of it."""


class Changes:
    """Every method raises UserError with the reason of a refusal, TransientError when broker, store or registry do not answer.

    Without ``stack``: as ``driftloop.Client()``. A change of a model is a record in the registry's log, with who and why.
    """

    def __init__(self, *, stack: Installation | None = None) -> None:
        installation = stack or current_installation()
        self._to = Connections(installation.s3, installation)

    def promote(self, name: str, version: int, *, reason: str, alias: str = "champion", expected_epoch: int | None = None) -> "Changed":
        """Point the alias at a version by your own decision. Refused if it is not at the expected epoch (default: now's)."""
        from driftloop.client.model_changes import promote

        return promote(self._to.registry, name, version, reason, alias=alias, expected_epoch=expected_epoch)

    def shadow(self, name: str, version: int | None, *, reason: str) -> "Changed":
        """Let a version answer for the same rows as the champion, beside it, until the champion moves; None: nobody any more."""
        from driftloop.client.model_changes import shadow

        return shadow(self._to.registry, name, version, reason)

    def canary(self, name: str, move: "Literal['begin', 'next', 'end']", *, reason: str, version: int | None = None) -> "Changed":
        """Let a version answer the first step's share of the entities (``begin``), the next one's, or none any more (``end``)."""
        from driftloop.client.model_changes import move_canary

        return move_canary(self._to.registry, name, move, version, reason)

    def take_over(self, name: str, *, reason: str, version: int | None = None) -> "Changed":
        """Answer for the system that serves the model elsewhere, with the version that waits for that, or with one of your choice."""
        from driftloop.client.model_changes import take_over

        return take_over(self._to.registry, name, version, reason)

    def rollback(
        self, name: str, *, reason: str, to: int | None = None, alias: str = "champion", expected_epoch: int | None = None
    ) -> "Changed":
        """Point the alias at the version before its present one, or at ``to``."""
        from driftloop.client.model_changes import roll_back

        return roll_back(self._to.registry, name, to, reason, alias=alias, expected_epoch=expected_epoch)

    def watch(self, name: str, start: datetime, end: datetime, *, reason: str, served_as: str | None = None) -> "WatchedFrom":
        """Compare what a model that is served elsewhere gets from now on with the rows of ``[start, end)``."""
        from driftloop.client.watching import watch

        return watch(self._to, name, start, end, reason, served_as)

    def recalibrate(self, name: str, recalibration: "Recalibration | None", *, reason: str, expected_epoch: int | None = None) -> "Changed":
        """Correct the champion's answers by these numbers until the next promotion; None: no longer."""
        from driftloop.client.model_changes import recalibrate

        return recalibrate(self._to.registry, name, recalibration, reason, expected_epoch=expected_epoch)

    def recalibrate_as(self, name: str, to: int, *, reason: str, expected_epoch: int | None = None) -> "Changed":
        """Correct the champion's answers as the earlier record ``to`` did, of the same version."""
        from driftloop.client.model_changes import recalibrate_as

        return recalibrate_as(self._to.registry, name, to, reason, expected_epoch=expected_epoch)

    def approve(self, name: str, version: int, *, reason: str) -> "Changed":
        """Make a version that waits for approval champion."""
        from driftloop.client.model_changes import approve

        return approve(self._to.registry, name, version, reason)

    def reject(self, name: str, version: int, *, reason: str) -> "Changed":
        """Say no to a version that waits for approval."""
        from driftloop.client.model_changes import reject

        return reject(self._to.registry, name, version, reason)

    def delete(self, name: str, version: int, *, reason: str) -> "Changed":
        """Give a version up for good. Its record and its number stay."""
        from driftloop.client.model_changes import delete

        return delete(self._to.registry, name, version, reason)

    def remove_deleted(self, name: str, *, before: datetime, dry_run: bool = False, say: Say = _silent) -> "list[Deleted]":
        """Remove the bytes of versions that were deleted ``before``, but for those that something holds."""
        from driftloop.client.maintenance import deleted_version_bytes

        return deleted_version_bytes(self._to, name, before, dry_run=dry_run, say=say)

    def retrain(self, model: str, *, reason: str, cause: "RetrainReason" = "manual") -> str:
        """Ask for a new version now; the request's id."""
        from driftloop.client.retraining import request_retraining

        return request_retraining(self._to, model, reason, cause)

    def register_project(self, folder: Path) -> "Project":
        """Make the project in ``folder`` the current one of its model; its archive is stored, its topics are made."""
        from driftloop.client.registration import register_project

        return register_project(folder, self._to.installation)

    def audit(
        self,
        name: str,
        count: int,
        audit: str,
        *,
        compare_again: bool = False,
        on_progress: "VersionProgress" = _silent,
        say: Say = _silent,
    ) -> "AuditResult":
        """Rebuild ``count`` random versions and record what came of each; repeated under its name, it goes on where it was."""
        from driftloop.client.reproductions import audited

        return audited(self._to, name, count, audit, compare_again=compare_again, on_progress=on_progress, say=say)

    def give_rights(
        self,
        streams: Sequence[str],
        *,
        users: Mapping[str, str] | None = None,
        quotas: bool = False,
        existing: "Mapping[str, ExistingTopics] | None" = None,
    ) -> "GivenRights":
        """Give every user what it needs on the broker for the control topics and those of ``streams``; ``users``: who is called
        otherwise there than in the table; ``existing``: by stream, topics of somebody else. Refused if the broker has no authorizer,
        or you may not."""
        from driftloop.client.broker_rights import given_rights

        return given_rights(self._to, streams, users or {}, with_quotas=quotas, existing=existing or {})

    def add_partitions(self, stream: str, partitions: int) -> "list[GrownTopic]":
        """Give all topics of a stream so many partitions, while it runs; every service goes on with the new ones by itself."""
        from driftloop.client.partitions import grown

        return grown(self._to, stream, partitions)

    def compact(self, stream: str, *, dry_run: bool = False, on_progress: "TableProgress" = _silent) -> "list[Compacted]":
        """Merge the small files of a stream's tables. The old files stay until they are cleaned away."""
        from driftloop.client.maintenance import compacted

        return compacted(self._to, stream, dry_run=dry_run, on_progress=on_progress)

    def vacuum(self, stream: str, *, grace: timedelta, on_progress: "TableProgress" = _silent) -> "dict[str, Cleaned]":
        """Mark files that neither the tables nor any snapshot names; delete those that have been marked for ``grace``."""
        from driftloop.client.maintenance import vacuumed

        return vacuumed(self._to, stream, grace, on_progress)

    def archive_logs(self, stream: str, *, keep: timedelta, dry_run: bool = False) -> "list[LogArchived]":
        """Pack entries of the tables' logs that are older than ``keep``. Their offset ranges are read as before."""
        from driftloop.client.maintenance import archived

        return archived(self._to, stream, keep, dry_run=dry_run)

    def expire_snapshots(self, stream: str, *, grace: timedelta, reason: str, dry_run: bool = False) -> "list[Expiry]":
        """Give up the snapshots that no kept version, and no run that may become one, was trained on. All, with what holds each.

        ``grace``: how long a pin, and a version's deletion, lie back at least.
        """
        from driftloop.client.snapshot_expiry import expired

        return expired(self._to, stream, grace, reason, dry_run=dry_run)

    def accept_gap(self, stream: str, where: str, start: int, end: int, *, reason: str, by: str) -> "AcceptedGap":
        """Put on record that offsets ``[start, end)`` of ``where`` (TOPIC-PARTITION) are missing: services then go on after them.

        The record begins where the table's offsets end when that is within the gap.
        """
        from driftloop.client.accepted_gaps import accepted_gap

        return accepted_gap(self._to, stream, where, start, end, reason=reason, by=by)

    def retry_notifications(self, *, id: str | None = None, project: str | None = None) -> "list[Notification]":
        """Let the notifier send dead letters again, one or all (of a project); which."""
        from driftloop.client.notifications import retry

        return retry(self._to, id=id, project=project)

    def test_notifications(self, *, project: str | None = None) -> "list[Notification]":
        """Let the notifier send a test message to each rule (of a project), and wait for what becomes of them."""
        from driftloop.client.notifications import send_test

        return send_test(self._to, project=project)

    def redrive(
        self, asked: "Asked", *, why: str, by: str | None = None, on_progress: Callable[[int], None] = _silent, say: Say = _silent
    ) -> "Redriven":
        """Send rejected messages again, changed or as they were, after the stream's contract has taken them. One that was sent before is
        not sent again unless that is asked for. ``by``: who does so; default: the user of this process."""
        from driftloop.client.redriving import redriven

        return redriven(self._to, asked, why=why, by=by, on_progress=on_progress, say=say)
