"""``driftloop.Client()``: every question that a command can ask, from Python, with typed answers."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from driftloop.client.arguments import Say, checked_name, stream_name, time_of
from driftloop.client.connections import Connections
from driftloop.errors import UserError
from driftloop.installation import Installation, current_installation
from driftloop.settings import S3Settings

if TYPE_CHECKING:
    from driftloop.client.datasets import Datasets, SnapshotDetails, TableHistory
    from driftloop.client.distributions import Distribution
    from driftloop.client.models import AliasMove, ModelSummary, Recalibrations, RegisteredModel
    from driftloop.client.notifications import Notification
    from driftloop.client.redrive_outcome import Redriven
    from driftloop.client.redriving import Asked
    from driftloop.client.registry_rebuild import RebuiltRegistry
    from driftloop.client.rejected_messages import RejectedBytes, RejectedMessage
    from driftloop.client.retraining_outcome import RetrainingOutcome
    from driftloop.client.rows import Known, TableName
    from driftloop.client.status import Status
    from driftloop.client.their_topics import TopicCheck
    from driftloop.client.topic_sample import TopicSample
    from driftloop.client.verification import Verification
    from driftloop.client.version_lineage import VersionLineage
    from driftloop.contracts.events import DecisionMade, DriftReported, IncidentReported, PerformanceReported, VersionReproduced
    from driftloop.datasets.dataset import Dataset
    from driftloop.datasets.diff import DatasetDiff
    from driftloop.datasets.snapshots import Stored
    from driftloop.history.requests import Run
    from driftloop.history.told import Told
    from driftloop.lake.vacuum import Candidates
    from driftloop.lineage.file_use import FileUse
    from driftloop.lineage.rebuilding import VersionProgress
    from driftloop.lineage.reproduction import Reproduction
    from driftloop.lineage.trace import Trace
    from driftloop.monitoring.replay import Replay
    from driftloop.project.rules import Policy
    from driftloop.registry.records import LogEntry
    from driftloop.rows.existing.contents import TopicContents


def _silent(*_: object) -> None:
    """Whoever asks wants the answer alone."""


class Client:
    """Asks a driftloop installation; connects when something is asked for, and changes nothing (``driftloop.client.changes`` does).

    Without arguments: the stack of this folder (``DRIFTLOOP_HOME``), or the one that ``DRIFTLOOP_CLI_…`` names. Otherwise
    give the store's address and keys: then what is in the store can be asked for. Raises UserError when no stack is known.

    Every method raises UserError for what is not there or cannot be asked, in a sentence, and TransientError when broker,
    store or registry do not answer. ``say`` is told in words what takes long or was passed over.
    """

    def __init__(
        self,
        *,
        s3_endpoint: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        bucket: str = "driftloop",
        region: str = "us-east-1",
        stack: Installation | None = None,
    ) -> None:
        if s3_endpoint is None:
            installation = stack or current_installation()
            self._to = Connections(installation.s3, installation)
        elif not (s3_endpoint.startswith(("http://", "https://")) and access_key and secret_key):
            raise UserError("s3_endpoint is a URL, http://host:port, and needs access_key and secret_key")
        else:
            endpoint = s3_endpoint.rstrip("/")
            s3 = S3Settings(endpoint=endpoint, bucket=bucket, region=region, access_key=access_key, secret_key=secret_key)
            self._to = Connections(s3, stack)

    # what runs

    def status(self) -> "Status":
        """Services, champions, and how far the lake is behind each topic."""
        from driftloop.client.status import status

        return status(self._to.installation)

    def topic_sample(self, topic: str, *, limit: int = 100_000) -> "TopicSample":
        """The newest records of any topic of the broker that are JSON objects."""
        from driftloop.client.topic_sample import topic_sample

        return topic_sample(self._to, topic, limit)

    def topic_contents(self, topic: str, *, limit: int = 1_000) -> "TopicContents":
        """What the newest records of any topic hold, and the mapping that they suggest."""
        from driftloop.client.their_topics import topic_contents

        return topic_contents(self._to, topic, limit)

    def topic_checks(self, folder: "Path", *, limit: int = 1_000) -> "list[TopicCheck]":
        """What differs between the topics that a project names and what is on them."""
        from driftloop.client.their_topics import topic_checks

        return topic_checks(self._to, folder, limit)

    # models

    def models(self) -> "list[ModelSummary]":
        """Every model with its champion."""
        from driftloop.client.models import models

        return models(self._to.registry)

    def model(self, name: str) -> "RegisteredModel":
        """A model with all its versions, and where its aliases point."""
        from driftloop.client.models import model

        return model(self._to.registry, name)

    def version(self, name: str, version: int) -> "VersionLineage":
        """A version back to bytes, each hashed again, and forward to its predictions."""
        from driftloop.client.version_lineage import version_lineage

        return version_lineage(self._to, name, version)

    def history(self, name: str, *, limit: int = 100) -> "list[LogEntry]":
        """The newest records about a model in the registry's log with what came of them, oldest first; refusals too."""
        from driftloop.client.models import history

        return history(self._to.registry, name, limit)

    def recalibrations(self, name: str) -> "Recalibrations":
        """How the champion's answers are corrected now, and every record of it."""
        from driftloop.client.models import recalibrations

        return recalibrations(self._to.registry, name)

    def alias_at(self, name: str, time: datetime | str, *, alias: str = "champion") -> "AliasMove":
        """Which version was champion at a time (without a zone: UTC), since when, by whom and why."""
        from driftloop.client.models import alias_at

        return alias_at(self._to.registry, name, time_of(time), alias)

    def rebuild_registry(self) -> "RebuiltRegistry":
        """The registry's log folded into a fresh database, compared with the live one. Changes nothing."""
        from driftloop.client.registry_rebuild import rebuilt_registry

        return rebuilt_registry(self._to)

    # what the loop has told

    def decisions(self, model: str | None = None, *, last: int | None = None, say: Say = _silent) -> "list[Told[DecisionMade]]":
        """Every decision, "no" included, in order of time; of one model, or of all. ``last``: only so many, the newest, which
        takes no more memory however long the record is. Raises UserError for less than one."""
        from driftloop.client.told_events import decisions

        return decisions(self._to.topics, _model(model), say, last)

    def replay_decisions(
        self, policy: "Policy | Path", model: str | None = None, *, journal: Path | None = None, say: Say = _silent
    ) -> "Replay":
        """What another policy would have decided on the evidence on record, beside what was decided; nothing is fitted. ``policy``: or a
        file with a table ``[policy]``. ``model`` may be left out where there is one. ``journal``: decisions from a file, one a
        line as JSON, instead of the record."""
        from driftloop.client.replayed_decisions import replayed, replayed_journal

        if journal is not None:
            return replayed_journal(journal, policy, _model(model))
        return replayed(self._to.topics, policy, _model(model), say)

    def runs(self, model: str | None = None, *, say: Say = _silent) -> "list[Run]":
        """Training runs with what came of each, in the order in which they started; of one model, or of all."""
        from driftloop.client.told_events import runs

        return runs(self._to.topics, say, _model(model))

    def retraining_outcome(self, model: str, request_id: str, *, timeout: timedelta) -> "RetrainingOutcome":
        """What came of a request to train again, once the gate has decided. Raises TransientError when that takes longer."""
        from driftloop.client.retraining_outcome import wait_for_outcome

        return wait_for_outcome(self._to.topics, checked_name(model, "model name"), request_id, timeout.total_seconds())

    def drift(self, model: str | None = None, *, last: int | None = None, say: Say = _silent) -> "list[Told[DriftReported]]":
        """The newest drift report of each window and version, by model, window and version. ``last``: only so many, those that came
        last, which takes no more memory however long the record is. Raises UserError for less than one."""
        from driftloop.client.told_events import drift

        return drift(self._to.topics, _model(model), say, last)

    def distribution(self, model: str, feature: str, *, window: datetime | str | None = None) -> "Distribution":
        """One column's values in a window beside those in training: of the newest window, or of the one that begins then. ``feature``: as
        a drift report names it, ``placed.hour`` for a part of a time and ``$score`` for the score. Raises IntegrityError."""
        from driftloop.client.distributions import distribution

        return distribution(self._to, model, feature, None if window is None else time_of(window))

    def incidents(self, model: str | None = None, *, last: int | None = None, say: Say = _silent) -> "list[Told[IncidentReported]]":
        """Windows in a row that drifted in columns that they share, each incident as it stands, by model and start. ``last``: as for
        ``drift``."""
        from driftloop.client.told_events import incidents

        return incidents(self._to.topics, _model(model), say, last)

    def performance(self, model: str | None = None, *, last: int | None = None, say: Say = _silent) -> "list[Told[PerformanceReported]]":
        """The newest performance report of each window and version; those with ``version`` None are of all versions together.
        ``last``: as for ``drift``."""
        from driftloop.client.told_events import performance

        return performance(self._to.topics, _model(model), say, last)

    def reproductions(self, model: str | None = None, *, say: Say = _silent) -> "list[Told[VersionReproduced]]":
        """What audits have recorded, in order of time."""
        from driftloop.client.told_events import reproductions

        return reproductions(self._to.topics, _model(model), say)

    def notifications(self, project: str | None = None) -> "list[Notification]":
        """Messages to people, in the order in which they became due, and what became of each."""
        from driftloop.client.notifications import notifications

        return notifications(self._to.topics, project)

    def quarantined(self, stream: str | None = None) -> "list[RejectedMessage]":
        """Rejected messages of a stream, or of the only one, by their origin, with the reason."""
        from driftloop.client.rejected_messages import rejected_messages

        return rejected_messages(self._to, stream)

    def quarantined_message(self, message_id: str, stream: str | None = None) -> "RejectedBytes":
        """One rejected message with its original bytes. ``message_id``: as ``quarantined`` gives it, such as 2:41."""
        from driftloop.client.rejected_messages import rejected_message

        return rejected_message(self._to, message_id, stream)

    def redrive_preview(self, asked: "Asked", *, say: Say = _silent) -> "Redriven":
        """What would become of rejected messages that were sent again: each with its bytes before and after."""
        from driftloop.client.redriving import preview

        return preview(self._to, asked, say)

    # lineage

    def trace(
        self, event_id: str, *, stream: str | None = None, time: datetime | str | None = None, every_file: bool = False, say: Say = _silent
    ) -> "Trace":
        """The prediction of an event back to the bytes that it came from, each link fetched and hashed again.

        ``time``, the event's, narrows the search; ``every_file``: hash the snapshot's files also when they are many.
        Raises IntegrityError when a file that may hold the event cannot be read.
        """
        from driftloop.client.tracing import trace

        return trace(self._to, event_id, stream=stream, time=time, every_file=every_file, say=say)

    def file_use(self, ref: str) -> "FileUse":
        """Which snapshots, versions and predictions used a file: its key, path or the beginning of its sha256."""
        from driftloop.client.models import all_models
        from driftloop.lineage.file_use import file_use

        return file_use(self._to.store, self._to.s3, all_models(self._to.registry), ref)

    def reproduce(
        self, name: str, version: int, *, compare_again: bool = False, on_progress: "VersionProgress" = _silent
    ) -> "Reproduction":
        """A version rebuilt from its pins, and how closely it matches. ``compare_again``: fit and measure all candidates again.

        Raises IntegrityError when something that it was made from is gone or damaged.
        """
        from driftloop.client.reproductions import reproduction

        return reproduction(self._to, name, version, compare_again=compare_again, on_progress=on_progress)

    # the lake

    def datasets(self, stream: str | None = None, *, limit: int = 5) -> "Datasets":
        """Tables with their ``limit`` newest versions, and snapshots with who was trained on them; of one stream or of all."""
        from driftloop.client.datasets import datasets

        return datasets(self._to, stream, limit)

    def table(self, ref: str, *, limit: int = 20) -> "TableHistory":
        """``ref``: STREAM/TABLE, or STREAM/TABLE@VERSION."""
        from driftloop.client.datasets import named_table, table_history

        return table_history(self._to, named_table(ref), limit)

    def snapshots(self, stream: str | None = None) -> "list[Stored]":
        """Stream, digest and time of every snapshot, oldest first."""
        from driftloop.datasets.snapshots import stored_snapshots

        return stored_snapshots(self._to.store, None if stream is None else stream_name(stream))

    def snapshot(self, beginning: str) -> "SnapshotDetails":
        """What the only snapshot whose digest begins so covers, and who was trained on it."""
        from driftloop.client.datasets import snapshot_details

        return snapshot_details(self._to, beginning)

    def diff(self, a: str, b: str) -> "DatasetDiff":
        """What changed from ``a`` to ``b``: beginnings of snapshots' digests, or STREAM/TABLE[@VERSION]. Raises IntegrityError."""
        from driftloop.client.verification import diff

        return diff(self._to, a, b)

    def verify(self, *beginnings: str, split: bool = False, on_file: Say = _silent) -> "Verification":
        """Hash every file of the snapshots whose digests begin so, or of all. ``split``: check the split of those that are intact."""
        from driftloop.client.verification import verify

        return verify(self._to, beginnings, split=split, on_file=on_file)

    def dataset(
        self,
        stream: str,
        *,
        table: "TableName" = "joined",
        as_of: datetime | str | None = None,
        since: datetime | str | None = None,
        known: "Known" = None,
        snapshot: str | None = None,
        columns: Sequence[str] | None = None,
        labelled_only: bool = False,
    ) -> "Dataset":
        """Rows of a stream: its inferences joined with their labels, or one of the two tables.

        Two clocks. ``as_of`` and ``since`` are event times: what happened before, and from then on. ``known`` says what was
        known: everything committed until a wall time, or what lay below offsets, as ``{"flights.labels": {0: 1200}}``
        (partitions and topics that are not named are in as a whole). Times are datetimes or ISO 8601; without a zone: UTC.

        ``snapshot``, the beginning of a digest, gives exactly the rows that were pinned, from verified bytes; it fixes both
        clocks itself. The joined table has one row per event, in the order of event time; ``label`` is null where none was
        known, unless ``labelled_only``.
        """
        from driftloop.client.rows import rows

        return rows(
            self._to,
            stream,
            table=table,
            since=since,
            as_of=as_of,
            known=known,
            snapshot=snapshot,
            columns=columns,
            labelled_only=labelled_only,
        )

    def vacuum_plan(self, stream: str, *, grace: timedelta) -> "dict[str, Candidates]":
        """By table, what ``vacuum`` would mark and delete. Changes nothing."""
        from driftloop.client.maintenance import vacuum_plan

        return vacuum_plan(self._to, stream, grace)


def _model(name: str | None) -> str | None:
    return None if name is None else checked_name(name, "model name")
