"""Rejected messages sent again: by commands and by the console."""

import getpass
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import NamedTuple

from driftloop.adapters.kafka import Producer, Publisher, create_topics, stream_topic
from driftloop.client.arguments import Say, checked_name
from driftloop.client.connections import Connections
from driftloop.client.models import models, only_stream
from driftloop.client.redrive_outcome import Redriven, Told
from driftloop.client.stream_project import project_of
from driftloop.contracts.redrives import MAX_BY, MAX_WHY
from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.topics import CONTROL_TOPICS, REDRIVES, quarantine
from driftloop.contracts.values import StreamName
from driftloop.errors import ConfigurationError, TransientError, UserError
from driftloop.history.events import Events
from driftloop.history.log_reader import LogReader
from driftloop.history.redrives import Redrives
from driftloop.ports import Record
from driftloop.redrive.changes import Change, is_text
from driftloop.redrive.contract import Contract
from driftloop.redrive.planning import Plan, Planned, chosen
from driftloop.redrive.run import BATCH, Broker, Run, Who
from driftloop.redrive.selection import Selection
from driftloop.redrive.whose import has_ended, this_machine, this_process
from driftloop.service.quarantine import read_quarantined
from driftloop.settings import Environment, replication

BATCH_BYTES = 8 * 1024 * 1024


class Asked(NamedTuple):
    """``stream`` None: the only one registered. ``schema_version``: that of the stream as registered, or nothing is sent."""

    stream: StreamName | None
    selection: Selection
    change: Change
    again: bool = False
    take_over: bool = False
    schema_version: int | None = None


class KeptRecord:
    """The topic ``redrives``, folded for one stream; keeps ``redrive.run.RedriveRecord``."""

    def __init__(self, to: Connections, stream: StreamName, say: Say) -> None:
        def passed_over(record: Record, reason: str) -> None:
            say(f"passed over offset {record.offset} of {record.topic}[{record.partition}]: {reason}")

        self.fold = Redrives(stream)
        self._reader = LogReader(to.topics, (REDRIVES,), Events(self.fold, passed_over))

    def sync(self) -> None:
        self._reader.sync()

    def close(self) -> None:
        self._reader.close()


def redrives(to: Connections, stream: StreamName, say: Say) -> Redrives:
    """What is on record; nothing where an earlier program has made the installation. Raises TransientError, ConfigurationError."""
    with closing(KeptRecord(to, stream, say)) as record:
        try:
            record.sync()
        except ConfigurationError as exc:
            if "does not exist" not in str(exc):
                raise
        return record.fold


def preview(to: Connections, asked: Asked, say: Say) -> Redriven:
    """What would become of the messages. Changes nothing. Raises UserError, TransientError."""
    stream = _stream(to, asked)
    schema = _schema(to, stream, asked.schema_version)
    known = redrives(to, stream, say)
    plan = Plan(Contract(schema), asked.change, to.store, known.sent, asked.again)
    told = Told(stream, asked.change)
    for record in _chosen(to, stream, asked.selection):
        told.add(plan.of(record))
    return told.all()


def redriven(to: Connections, asked: Asked, *, why: str, by: str | None, on_progress: Callable[[int], None], say: Say) -> Redriven:
    """Send them. What has been sent before is not sent again unless that is asked for, however often and by whomever this is called.

    ``on_progress``: told how many were looked at. Raises UserError, TransientError: repeated, it goes on from where it was.
    """
    named, reason = _said(by or getpass.getuser(), "who you are", MAX_BY), _said(why, "why", MAX_WHY)
    who = Who(str(uuid.uuid4()), named, reason, this_machine(), this_process())
    stream = _stream(to, asked)
    schema = _schema(to, stream, asked.schema_version)
    records = _chosen(to, stream, asked.selection)  # of messages that are named, raises before anything is sent
    with _run(to, stream, who, say) as (run, record):
        recovered = run.begin(take_over=asked.take_over)
        if recovered:
            say(f"a run that broke off had sent {len(recovered):,} messages: they are on record now, and not sent again")
        plan = Plan(Contract(schema), asked.change, to.store, record.fold.sent, asked.again, recovered)
        told = Told(stream, asked.change, who.run, len(recovered))
        for part in _parts(plan.of(record) for record in records):
            outgoing = [(one.original, one.changed) for one in part if one.changed is not None and one.verdict == "send"]
            sent = run.send(asked.change.words, outgoing) if outgoing else []
            places = {message.id: message for message in sent}
            for one in part:
                told.add(one, places.get(one.original.id))
            on_progress(told.chosen)
        return told.all()


@contextmanager
def _run(to: Connections, stream: StreamName, who: Who, say: Say) -> Iterator[tuple[Run, KeptRecord]]:
    _make_topic(to)
    with closing(KeptRecord(to, stream, say)) as record, closing(Producer(to.kafka, client_id="driftloop-redrive")) as producer:
        run = Run(stream, who, Broker(to.topics, producer, Publisher(producer, source="driftloop/redrive"), record), has_ended)
        try:
            yield run, record
        except BaseException:
            with suppress(TransientError, ConfigurationError):  # the next run sees that this process has ended
                run.end(whole=False)
            raise
        run.end(whole=True)


def _make_topic(to: Connections) -> None:
    """An installation that an earlier program made has none. Who may not make it is told so when it is written."""
    try:
        to.topics.describe([REDRIVES])
    except ConfigurationError:
        wanted = [topic for topic in CONTROL_TOPICS if topic.name == REDRIVES]
        create_topics(to.kafka, wanted, replication=replication(Environment("cli")))


def _stream(to: Connections, asked: Asked) -> StreamName:
    return only_stream(to.registry) if asked.stream is None else checked_name(asked.stream, "stream name")


def _schema(to: Connections, stream: StreamName, version: int | None) -> StreamSchema:
    """Of the stream as its project is registered now. Raises UserError, TransientError."""
    registered = [model.project for model in models(to.registry) if model.project is not None]
    found = next((project for project in registered if project.stream == stream), None)
    if found is None:
        known = ", ".join(sorted(project.stream for project in registered)) or "none"
        raise UserError(f"no stream {stream!r} is registered, only: {known}; register its project with: driftloop up --project DIR")
    schema = found.stream_schema
    if schema is None:
        project = project_of(to, stream)
        if project is None:
            raise UserError(f"the schema of stream {stream!r} is not known: register its project once more with driftloop up --project DIR")
        schema = project.schema
    if version not in (None, schema.version):
        raise UserError(f"stream {stream!r} is at schema version {schema.version}, and not {version}: nothing was sent")
    return schema


def _chosen(to: Connections, stream: StreamName, wanted: Selection) -> Iterable[Record]:
    """The messages that are meant. Raises UserError for an id that names none."""
    topic = quarantine(stream)
    to.topics.describe([topic])
    records = stream_topic(to.kafka, topic)
    if not wanted.ids:
        return chosen(records, wanted)
    named = [record for record in records if wanted.takes(record, read_quarantined(record))]
    hit = {one for record in named for one in wanted.named(record, read_quarantined(record))}
    missing = sorted(wanted.ids - hit)
    if missing:
        raise UserError(f"{topic} holds no message {', '.join(missing[:5])}; see `driftloop quarantine list`")
    return chosen(named, wanted)


def _parts(planned: Iterable[Planned]) -> Iterator[list[Planned]]:
    """At most BATCH messages, and about BATCH_BYTES."""
    part: list[Planned] = []
    size = 0
    for one in planned:
        part.append(one)
        size += len(one.original.value or b"") + len((one.changed and one.changed.value) or b"")
        if len(part) >= BATCH or size >= BATCH_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _said(text: str, what: str, most: int) -> str:
    text = text.strip()
    if not text or len(text) > most or not is_text(text):
        raise UserError(f"say {what}, in 1 to {most:,} characters that UTF-8 can hold: it stays on the record")
    return text
