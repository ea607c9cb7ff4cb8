"""From a model version back to bytes: every link of its making, fetched and hashed again."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import msgspec

from driftloop.artifact.model_files import LINEAGE, Manifest, files_of, load_file, load_manifest
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import ModelName, Part, TrainingPins
from driftloop.contracts.watched import Watched
from driftloop.errors import IntegrityError, ObjectNotFound
from driftloop.lake.snapshot import Snapshot, load_snapshot
from driftloop.lineage.chain import Link, checked, unknown
from driftloop.lineage.pinned_files import FilesFound, check_files
from driftloop.lineage.watched_chain import watched_chain
from driftloop.ports import ObjectStore
from driftloop.project.archives import archive_of, file_of_archive
from driftloop.project.model import PIPELINE_FILE
from driftloop.registry.state import ModelState, ModelVersion
from driftloop.stored import sha256_of
from driftloop.training.environment import environment_digest

CONNECTIONS = 8
SHOWN_DIGITS = 12


class LineageFile(Part, frozen=True, kw_only=True):
    """Of a version's lineage.json, what other links must agree with."""

    model: ModelName
    request_id: str
    pins: TrainingPins
    stream: str
    recipe: str
    rows: int
    pipeline_sha256: str


def version_chain(store: ObjectStore, model: ModelState, version: ModelVersion, *, every_file: bool = False) -> list[Link]:
    """Model version, training run, snapshot, files, offsets, code, environment, seed; of one that is served elsewhere what there is
    (``watched_chain``). Raises TransientError.

    ``every_file``: hash the snapshot's files also when they are many (``pinned_files.MANY_BYTES``).
    """
    pins = version.pins
    if pins is None:
        return watched_chain(store, version, version.watched or Watched(served_as=""))
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        made_of = pool.submit(load_manifest, store, model.model, version.manifest)
        archive = pool.submit(archive_of, store, model, pins.project)
        snapshot = pool.submit(_snapshot, store, model, pins.snapshot)
        try:
            manifest = made_of.result()
        except (IntegrityError, ObjectNotFound):
            manifest = None
        contents = (
            {name: pool.submit(load_file, store, manifest, version.manifest, name) for name in files_of(manifest)} if manifest else {}
        )
        files = pool.submit(lambda: check_files(store, snapshot.result(), every_file=every_file))
        return [
            _deleted(model, version, checked("model version", _version(version), lambda: _check_files(made_of, contents))),
            checked("training run", f"request {version.request_id}", lambda: _check_run(version, pins, made_of, contents)),
            checked("snapshot", pins.snapshot[:SHOWN_DIGITS], lambda: _about(snapshot.result())),
            _files_link(files),
            _offsets_link(snapshot),
            checked("code", _code(pins), lambda: _check_code(pins, archive, contents)),
            checked("environment", pins.environment[:SHOWN_DIGITS], lambda: _check_environment(pins, made_of)),
            Link(
                link="seed",
                ok=True,
                what=f"{pins.seed}, {pins.threads} threads",
                details={"seed": pins.seed, "threads": pins.threads},
            ),
        ]


def _deleted(model: ModelState, version: ModelVersion, link: Link) -> Link:
    """Of a version that was given up, clean-up may have removed the bytes: then that is the reason."""
    standing = model.standings.get(version.version)
    if link.ok or standing is None or standing.state != "deleted":
        return link
    reason = f"it was deleted by {standing.by}: {standing.reason}; {link.reason}"
    return msgspec.structs.replace(link, reason=reason)


def _version(version: ModelVersion) -> str:
    return f"version {version.version} of {version.model}, manifest {version.manifest[:SHOWN_DIGITS]}"


def _code(pins: TrainingPins) -> str:
    return f"driftloop {pins.code}, project {pins.project[:SHOWN_DIGITS]}"


def _snapshot(store: ObjectStore, model: ModelState, digest: str) -> Snapshot:
    if model.project is None:
        raise IntegrityError(f"no project is registered for the model {model.model}")
    return load_snapshot(store, model.project.stream, digest)


def _check_files(made_of: "Future[Manifest]", contents: "dict[str, Future[bytes]]") -> dict[str, Any]:
    manifest = made_of.result()
    for content in contents.values():
        content.result()
    return {"files": {name: manifest.files[name].sha256 for name in files_of(manifest)}, "recipe": manifest.recipe, "rows": manifest.rows}


def _check_run(
    version: ModelVersion, pins: TrainingPins, made_of: "Future[Manifest]", contents: "dict[str, Future[bytes]]"
) -> dict[str, Any]:
    lineage, manifest = _lineage(made_of, contents), made_of.result()
    if not pins == manifest.pins == lineage.pins:
        raise IntegrityError("registry, manifest and lineage.json do not agree on what it was pinned to")
    if not version.request_id == manifest.request_id == lineage.request_id:
        raise IntegrityError("registry, manifest and lineage.json do not agree on the request")
    window = pins.evaluation_window
    against = {"champion_version": pins.champion_version, "evaluation_window": msgspec.to_builtins(window)}
    return {"request_id": version.request_id, "recipe": lineage.recipe, "rows": lineage.rows, **against}


def _lineage(made_of: "Future[Manifest]", contents: "dict[str, Future[bytes]]") -> LineageFile:
    made_of.result()
    try:
        return msgspec.json.decode(contents[LINEAGE].result(), type=prepared(LineageFile))
    except msgspec.MsgspecError as exc:
        raise IntegrityError(f"{LINEAGE} is not readable: {exc}") from exc


def _about(snapshot: Snapshot) -> dict[str, Any]:
    content = snapshot.content
    return {
        "digest": snapshot.digest,
        "stream": content.stream,
        "start": content.start,
        "end": content.end,
        "rows": snapshot.rows,
        "split": msgspec.to_builtins(content.split),
    }


def _files_link(files: "Future[FilesFound]") -> Link:
    try:
        found = files.result()
    except (IntegrityError, ObjectNotFound):
        return unknown("files", "those of the snapshot", "the snapshot's manifest is not there")
    what = f"{found.files} files, {found.bytes / 1e6:.1f} MB, "
    what += "each hashed" if found.hashed else "each there in its full size (--every-file hashes them)"
    more = f" (and {len(found.wrong) - 1} more)" if len(found.wrong) > 1 else ""
    reason = f"{found.wrong[0]}{more}" if found.wrong else None
    return Link(link="files", ok=not found.wrong, what=what, reason=reason, details=found._asdict())


def _offsets_link(snapshot: "Future[Snapshot]") -> Link:
    """The snapshot's digest covers the ranges, so they hold when it does."""
    found = _result(snapshot)
    if found is None:
        return unknown("offsets", "those of the snapshot", "the snapshot's manifest is not there")
    by_topic: dict[str, int] = {}
    for r in found.content.ranges:
        by_topic[r.topic] = by_topic.get(r.topic, 0) + r.end - r.start
    what = ", ".join(f"{topic} {count:,}" for topic, count in by_topic.items())
    return Link(link="offsets", ok=True, what=what, details={"ranges": msgspec.to_builtins(found.content.ranges)})


def _result(snapshot: "Future[Snapshot]") -> Snapshot | None:
    try:
        return snapshot.result()
    except (IntegrityError, ObjectNotFound):
        return None


def _check_code(pins: TrainingPins, archive: "Future[bytes]", contents: "dict[str, Future[bytes]]") -> dict[str, Any]:
    data = archive.result()
    details = {"driftloop": pins.code, "project": pins.project}
    if LINEAGE not in contents:
        return details
    pipeline = sha256_of(file_of_archive(data, PIPELINE_FILE))
    recorded = msgspec.json.decode(contents[LINEAGE].result(), type=prepared(LineageFile)).pipeline_sha256
    if pipeline != recorded:
        raise IntegrityError(f"the archive holds another {PIPELINE_FILE} than the one that lineage.json names")
    return details | {"pipeline_sha256": pipeline}


def _check_environment(pins: TrainingPins, made_of: "Future[Manifest]") -> dict[str, Any]:
    environment = made_of.result().environment
    digest = environment_digest(environment)
    if digest != pins.environment:
        raise IntegrityError(f"it was fitted in another environment than the one that was pinned: {digest[:SHOWN_DIGITS]}")
    return {"digest": digest, "python": environment.get("python"), "packages": environment.get("packages")}


def all_hold(links: "list[Link] | tuple[Link, ...]") -> bool:
    return all(link.ok for link in links)
