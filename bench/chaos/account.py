"""What one project left behind, read back from topics and lake, and compared with what was sent."""

from collections import Counter
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa

from bench.chaos.book import Book, Sent
from bench.chaos.checks import Check, arrivals, decided_once, dense_versions, rejections, stored_events
from bench.chaos.messages import Topic
from bench.chaos.shops import Shop
from driftloop import Client
from driftloop.adapters.kafka import read_topic, stream_topic
from driftloop.contracts import topics
from driftloop.contracts.codec import decode_event
from driftloop.contracts.events import DecisionMade
from driftloop.contracts.values import Window
from driftloop.demo.conservation import conservation
from driftloop.errors import InvalidMessage
from driftloop.installation import Installation
from driftloop.lake.table import LakeTable
from driftloop.ports import Record
from driftloop.project.model import Project


class Left(NamedTuple):
    """Topics and tables of one project after the run."""

    requests: list[Record]
    labels: list[Record]
    quarantine: list[Record]
    inferences_table: pa.Table
    labels_table: pa.Table


def left_by(installation: Installation, stream: str) -> Left:
    """Raises TransientError, ObjectNotFound."""
    bootstrap = installation.kafka_bootstrap
    inferences, labels = (LakeTable.open(installation.s3, stream, table) for table in ("inferences", "labels"))
    return Left(
        read_topic(bootstrap, topics.requests(stream)),
        read_topic(bootstrap, topics.labels(stream)),
        read_topic(bootstrap, topics.quarantine(stream)),
        inferences.read(),
        labels.read(["partition", "offset", "event_id", "event_time"]),
    )


def sent_and_stored(shop: Shop, left: Left, book: Book) -> list[Check]:
    """Nothing lost and nothing double: from the applications to the topics, from there to lake or quarantine, and by event id."""
    sent = book.messages(shop.name)
    found: dict[str, Sent] = {}
    lost: list[str] = []
    for topic, records in (("requests", left.requests), ("labels", left.labels)):
        mine = [one for one in sent if one.topic == topic]
        arrived = arrivals(mine, {one.uid for one in mine if book.ok(one.uid)}, records)
        lost += arrived.problems
        found |= {one.uid: one for one in mine if one.uid in arrived.by_uid}
    ok = sum(book.ok(one.uid) for one in sent)
    codecs = ", ".join(f"{codec} {n:,}" for codec, n in Counter(one.codec for one in found.values()).items())
    figure = f"{len(sent):,} sent, {ok:,} acknowledged, {len(found):,} in the topics ({codecs})"
    in_topics = Check(f"{shop.name}: messages in the topics", figure, tuple(lost))
    rejected = rejections(found, left.quarantine)
    bad = sum(one.bad for one in found.values())
    kinds = len({(one.topic, one.kind) for one in found.values() if one.bad})
    return [
        in_topics,
        _conserved(shop, left, [one for one in sent if book.ok(one.uid)]),
        Check(f"{shop.name}: quarantine", f"{bad:,} bad messages of {kinds} kinds, each with its bytes", tuple(rejected)),
        _by_event(shop, left, book, list(found.values())),
    ]


def _conserved(shop: Shop, left: Left, acknowledged: list[Sent]) -> Check:
    account = conservation(
        shop.name,
        requests=left.requests,
        labels=left.labels,
        quarantine=left.quarantine,
        inferences_table=left.inferences_table,
        labels_table=left.labels_table,
        acknowledged=(_rows(acknowledged, "requests"), _rows(acknowledged, "labels")),
    )
    figure = f"{account.sent:,} rows sent = {account.lake:,} in the lake + {account.quarantined:,} in quarantine"
    problems = [str(violation) for violation in account.violations]
    return Check(f"{shop.name}: every row once", figure, tuple(problems if problems or account.ok else ["the sums differ"]))


def _rows(messages: list[Sent], topic: Topic) -> int:
    """A bad message counts as one."""
    return sum(max(1, len(one.events)) for one in messages if one.topic == topic)


def _by_event(shop: Shop, left: Left, book: Book, arrived: list[Sent]) -> Check:
    """By event id: what came by HTTP has no place in a topic of requests."""
    streamed, labelled = ({e for one in arrived if one.topic == topic for e in one.events} for topic in ("requests", "labels"))
    by_http = left.inferences_table.filter(left.inferences_table.column("request_offset").is_null()).column("event_id").to_pylist()
    by_stream = left.inferences_table.filter(left.inferences_table.column("request_offset").is_valid()).column("event_id").to_pylist()
    durable, possible = book.calls(shop.name, "durable"), book.calls(shop.name, "maybe") | book.calls(shop.name, "answered")
    problems = [
        *stored_events(set(by_stream), streamed, (), "event"),
        *stored_events(set(left.labels_table.column("event_id").to_pylist()), labelled, (), "label of"),
        *stored_events(set(by_http), durable, possible, "event by HTTP"),
    ]
    figure = (
        f"{len(streamed):,} events by the stream, {len(set(by_http)):,} by HTTP ({len(durable):,} confirmed, "
        f"{len(by_http) - len(set(by_http))} recorded again), {len(labelled):,} labels; {book.n_refused(shop.name)} bad calls refused"
    )
    return Check(f"{shop.name}: every event", figure, tuple(problems))


def windows_with_rows(project: Project, inferences: pa.Table) -> list[Window]:
    """In order."""
    found = {project.windows.window_of(time) for time in inferences.column("event_time").to_pylist()}
    return sorted((window for window in found if window is not None), key=lambda window: window.start)


def windows_decided(shop: Shop, installation: Installation, client: Client, windows: list[Window]) -> Check:
    """A window was closed when there is a drift report on it."""
    closed = {told.event.window.start for told in client.drift(shop.model)}
    decisions: list[tuple[datetime, str]] = []
    accepted = 0
    for record in stream_topic(installation.kafka_bootstrap, topics.DECISIONS):
        try:
            event, about = decode_event(record.value, record.headers)
        except InvalidMessage:
            continue
        if isinstance(event, DecisionMade) and event.model == shop.model and event.kind == "retrain" and event.window is not None:
            decisions.append((event.window.start, about.id))
            accepted += event.accepted
    figure = (
        f"{len(closed)} windows closed, {len(windows)} with rows; {len(set(decisions))} decisions ({accepted} to retrain), "
        f"{len(decisions)} deliveries"
    )
    return Check(f"{shop.name}: every window decided once", figure, tuple(decided_once([w.start for w in windows], closed, decisions)))


def versions_dense(shop: Shop, client: Client) -> Check:
    model = client.model(shop.model)
    versions = [(version.version, version.request_id) for version in model.versions]
    broken = [
        f"version {number}: {link.link}: {link.reason}"
        for number, _ in versions
        for link in client.version(shop.model, number).links
        if not link.ok
    ]
    figure = f"{len(versions)} versions, champion {model.champion}; each back to its bytes"
    return Check(f"{shop.name}: versions", figure, (*dense_versions(versions), *broken))
