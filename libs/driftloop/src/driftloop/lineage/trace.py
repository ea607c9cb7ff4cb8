"""From a prediction back to bytes: the row in the lake, the version that made it, and everything that the version came from."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import msgspec
from deltalake import DeltaTable

from driftloop.contracts.class_probabilities import PROBABILITIES
from driftloop.contracts.recalibration import RECALIBRATION_EPOCH, Recalibration
from driftloop.contracts.topics import inferences, requests
from driftloop.contracts.values import Part
from driftloop.errors import IntegrityError, ObjectNotFound, UserError
from driftloop.lake.cursors import app_id
from driftloop.lake.delta import store_errors
from driftloop.lineage.chain import Link, checked
from driftloop.lineage.find_event import Search, Sighting, find_event
from driftloop.lineage.lake_files import live_files, may_hold, open_inferences
from driftloop.lineage.version_chain import all_hold, version_chain
from driftloop.lineage.version_rule import rule_links
from driftloop.ports import ObjectStore
from driftloop.registry.state import ModelState
from driftloop.settings import S3Settings

SHOWN_CHARACTERS = 80
SHOWN_CLASSES = 5  # the most probable ones; --json has all
MANY_BYTES = 64 * 1024 * 1024  # what is looked into without a word

Say = Callable[[str], None]


class Trace(Part, frozen=True, kw_only=True):
    """A prediction with its links, the prediction's own first. ``version`` is null when no model scored the row."""

    event_id: str
    stream: str
    model: str | None
    version: int | None
    ok: bool
    prediction: dict[str, Any]
    links: tuple[Link, ...]


def trace(
    store: ObjectStore,
    s3: S3Settings,
    models: Sequence[ModelState],
    event_id: str,
    *,
    stream: str | None = None,
    time: datetime | None = None,
    every_file: bool = False,
    say: Say = lambda _: None,
) -> Trace:
    """Follow the event through ``models``, each with the stream that its project names.

    ``stream`` and ``time`` narrow the search, to it and to files with that event time. Raises UserError when no prediction
    has this id or predictions of several streams have, IntegrityError when a file that may hold it cannot be read, TransientError.
    """
    streams = _streams(models, stream)
    unreadable: list[str] = []
    places: dict[str, tuple[DeltaTable, Search]] = {}
    for name in streams:
        try:
            delta = open_inferences(s3, name)
        except ObjectNotFound:  # nothing was ingested yet
            continue
        found = _search(store, s3, delta, name, event_id, time, say)
        unreadable += found.unreadable
        if found.rows:
            places[name] = (delta, found)
    shown = event_id[:SHOWN_CHARACTERS]
    if len(places) > 1:
        raise UserError(f"predictions of the streams {', '.join(places)} have the event id {shown!r}; choose one with --stream")
    for name, (delta, found) in places.items():
        return _traced(store, s3, delta, name, models, found, every_file)
    if unreadable:
        damaged = f"{len(unreadable)} files are damaged: {unreadable[0]}"
        raise IntegrityError(f"no prediction with the event id {shown!r} was found, but {damaged}")
    where = f"the lake holds no prediction with the event id {shown!r}"
    if time is not None:
        where += f" at {time.isoformat()}"
    raise UserError(f"{where} (streams: {', '.join(streams) or 'none'}); it may not be ingested yet: see `driftloop status`")


def _streams(models: Sequence[ModelState], wanted: str | None) -> list[str]:
    known = sorted({model.project.stream for model in models if model.project is not None})
    if wanted is not None and wanted not in known:
        raise UserError(f"no project of the stream {wanted!r} is registered (streams: {', '.join(known) or 'none'})")
    return known if wanted is None else [wanted]


def _search(store: ObjectStore, s3: S3Settings, delta: DeltaTable, stream: str, event_id: str, time: datetime | None, say: Say) -> Search:
    files = may_hold(live_files(delta, s3.table_uri(stream, "inferences")), event_id, time)
    size = sum(file.size for file in files)
    if size > MANY_BYTES:
        say(f"looking into {len(files)} files of {stream}, {size / 1e6:,.0f} MB; --time, the event's time, narrows it")
    return find_event(store, f"lake/{stream}/inferences", files, event_id)


def _traced(
    store: ObjectStore, s3: S3Settings, delta: DeltaTable, stream: str, models: Sequence[ModelState], found: Search, every_file: bool
) -> Trace:
    first = found.rows[0]
    number = first.row["model_version"]
    with ThreadPoolExecutor(1) as pool:  # the lake is asked while the chain is hashed
        own = pool.submit(_own_links, s3, delta, stream, found)
        model = next((m for m in models if m.project is not None and m.project.stream == stream), None)
        chain, name = _chain(store, model, stream, number, every_file)
        links = (*own.result(), *rule_links(model, first.row), *_recalibrated(model, first.row), *chain)
    return Trace(
        event_id=first.row["event_id"],
        stream=stream,
        model=name,
        version=number,
        ok=all_hold(links),
        prediction=first.row,
        links=links,
    )


def _chain(
    store: ObjectStore, model: ModelState | None, stream: str, number: int | None, every_file: bool
) -> tuple[list[Link], str | None]:
    if number is None:
        return [Link(link="model version", ok=True, what="none: there was no champion when it was scored")], None
    version = model.version(number) if model is not None else None
    if model is None or version is None:
        reason = f"the registry knows no version {number} of a model of the stream {stream}"
        return [Link(link="model version", ok=False, what=f"version {number}", reason=reason)], model.model if model else None
    return version_chain(store, model, version, every_file=every_file), model.model


def _recalibrated(model: ModelState | None, row: dict[str, Any]) -> list[Link]:
    """The record that corrected the answer, where one did. A feature of another time may have had the column's name."""
    epoch = row.get(RECALIBRATION_EPOCH)
    features = model.project.stream_schema.feature_names if model and model.project and model.project.stream_schema else ()
    if not isinstance(epoch, int) or RECALIBRATION_EPOCH in features:
        return []
    record = model.recalibrations.get(epoch) if model is not None else None
    if record is None:
        what = f"epoch {epoch}"
        return [Link(link="recalibration", ok=False, what=what, reason=f"the registry knows no recalibration of epoch {epoch}")]
    source = f"the run {record.request_id}" if record.request_id is not None else "a person's decision"
    what = f"epoch {epoch} ({_numbers(record.recalibration)}), of {source}, by {record.by} since {record.since.isoformat()}"
    details = msgspec.to_builtins(record)
    if record.version != row["model_version"] or record.recalibration is None:
        done = "ended the correction" if record.recalibration is None else "corrected the answers"
        reason = f"that record {done} of version {record.version}, and version {row['model_version']} answered"
        return [Link(link="recalibration", ok=False, what=what, reason=reason, details=details)]
    return [Link(link="recalibration", ok=True, what=what, details=details)]


def _numbers(by: Recalibration | None) -> str:
    if by is None:
        return "none"
    if by.classes is not msgspec.UNSET and by.weights is not msgspec.UNSET:
        most = sorted(zip(by.classes, by.weights, strict=True), key=lambda item: (-abs(math.log(item[1])), item[0]))
        told = ", ".join(f"{name} × {weight:.3g}" for name, weight in most[:SHOWN_CLASSES])
        return told if len(most) <= SHOWN_CLASSES else f"{told}, {len(most) - SHOWN_CLASSES} more classes"
    return f"shift {by.shift:+g}" if by.shift is not msgspec.UNSET else f"logit × {by.slope:g} {by.intercept:+g}"


def _own_links(s3: S3Settings, delta: DeltaTable, stream: str, found: Search) -> list[Link]:
    first, key = found.rows[0], f"lake/{stream}/inferences/{found.rows[0].path}"
    row = first.row
    details = {"file": key, "sha256": first.sha256, "copies": len(found.rows), "files_looked_into": found.looked_into}
    what = f"{row['prediction']} ({_how_sure(row)}) at {row['scored_at'].isoformat()}, in {key}"
    offset = f"{inferences(stream)}[{row['partition']}]@{row['offset']}"
    return [
        checked("prediction", what, lambda: _intact(first, details)),
        checked("kafka", f"{offset}, {_request(stream, row)}", lambda: _taken_up(s3, delta, stream, first)),
    ]


def _how_sure(row: dict[str, Any]) -> str:
    """The score, or the classes that were most probable; a feature of another time may have had their column's name."""
    found = row.get(PROBABILITIES)
    if not isinstance(found, dict) or not found:
        return f"score {row['score']}"
    most = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    told = ", ".join(f"{name} {probability:.3f}" for name, probability in most[:SHOWN_CLASSES])
    return told if len(most) <= SHOWN_CLASSES else f"{told}, {len(most) - SHOWN_CLASSES} more classes"


def _intact(first: Sighting, details: dict[str, Any]) -> dict[str, Any]:
    if first.problem is not None:
        raise IntegrityError(first.problem)
    return details


def _request(stream: str, row: dict[str, Any]) -> str:
    if row["request_offset"] is None:
        return "a request by HTTP"
    return f"request {requests(stream)}[{row['partition']}]@{row['request_offset']}"


def _taken_up(s3: S3Settings, delta: DeltaTable, stream: str, first: Sighting) -> dict[str, Any]:
    """The table's cursor over that partition has passed the row's offset."""
    row = first.row
    places = {"topic": inferences(stream), "partition": row["partition"], "offset": row["offset"], "request_offset": row["request_offset"]}
    if first.topic_id is None:  # a file that others wrote does not say which incarnation of the topic
        return places
    with store_errors(s3.table_uri(stream, "inferences")):
        reached = delta.transaction_version(app_id(first.topic_id, row["partition"]))
    if reached is None or reached <= row["offset"]:
        raise IntegrityError(f"the table has taken up that partition of the topic {first.topic_id} up to {reached} only")
    return places | {"topic_id": first.topic_id}
