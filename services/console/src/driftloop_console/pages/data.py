"""*Data*: versions of the tables, snapshots and who was trained on them, two of them compared, and how to open them elsewhere."""

from typing import Any, NamedTuple

from driftloop.registry.state import ModelState, RegistryState
from driftloop_console.asking import Questions
from driftloop_console.columns import moment
from driftloop_console.data_questions import DataDiff
from driftloop_console.data_versions import Commit, Pin
from driftloop_console.pages.models import found
from driftloop_console.record import ConsoleFold
from driftloop_console.view import NotFound, View

SHOWN, MOST = 25, 1_000
SNAPSHOTS = 50
REDRIVES = 10
MAX_REF = 200


class Where(NamedTuple):
    """The store, as a program finds it; empty where nobody has said so."""

    endpoint: str = ""
    bucket: str = ""
    region: str = ""


def data(record: ConsoleFold, registry: RegistryState, where: Where, view: View, model: str) -> dict[str, Any]:
    """Versions in the range of time, newest first, by when they were committed."""
    known = found(registry, model)
    stream = stream_of(known)
    with record.reading():
        commits, pins, again = record.data.commits(stream), record.data.pins(model), record.data.redrives(stream)[:REDRIVES]
    inside = [one for one in commits if _inside(one.at, view)]
    first = view.whole("skip", 0, least=0, most=1_000_000)
    part = inside[first : first + view.whole("entries", SHOWN, least=1, most=MOST)]
    snapshots = _snapshots(known, pins)
    return {
        "model": model,
        "stream": stream,
        "tables": [_table(name, commits) for name in ("inferences", "labels")],
        "commits": [_commit(stream, one) for one in part],
        "count": len(inside),
        "skipped": first,
        "more": first + len(part) if first + len(part) < len(inside) else None,
        "snapshots": snapshots[:SNAPSHOTS],
        "older_snapshots": max(0, len(snapshots) - SNAPSHOTS),
        "redrives": [one._asdict() | {"at": moment(one.at)} for one in again],
        "snippets": _snippets(stream, where, snapshots[0]["digest"] if snapshots else None),
    }


def diff(ask: Questions, view: View) -> dict[str, Any]:
    """``a`` and ``b``: beginnings of digests, or STREAM/TABLE[@VERSION]. Nothing asked: the page is a form."""
    a, b = (view.text(name) for name in ("a", "b"))
    if a is None or b is None:
        return {"a": a, "b": b, "diff": None}
    if a == b:
        raise NotFound(f"{a[:MAX_REF]!r} is compared with itself: choose two")
    return {"a": a[:MAX_REF], "b": b[:MAX_REF], "diff": ask(DataDiff(a=a[:MAX_REF], b=b[:MAX_REF]))}


def stream_of(known: ModelState) -> str:
    """Raises NotFound."""
    if known.project is None:
        raise NotFound(f"no project of {known.model} is registered: driftloop up --project DIR")
    return known.project.stream


def _inside(at: int, view: View) -> bool:
    return (view.start_ms is None or at >= view.start_ms) and (view.end_ms is None or at < view.end_ms)


def _table(name: str, commits: list[Commit]) -> dict[str, Any]:
    mine = [one for one in commits if one.table == name]
    return {
        "table": name,
        "version": mine[0].version if mine else None,
        "at": moment(mine[0].at) if mine else None,
        "commits": len(mine),
        "rows": sum(one.rows for one in mine),
    }


def _commit(stream: str, one: Commit) -> dict[str, Any]:
    times = {name: None if value is None else moment(value) for name, value in (("first", one.first), ("last", one.last))}
    return one._asdict() | {"at": moment(one.at), "ref": f"{stream}/{one.table}@{one.version}"} | times


def _snapshots(known: ModelState, pins: list[Pin]) -> list[dict[str, Any]]:
    """Newest use first: the digest, when it was pinned first, and the runs and versions that were trained on it."""
    versions = {version.request_id: version.version for version in known.versions}
    by_digest: dict[str, dict[str, Any]] = {}
    for pin in pins:
        of = by_digest.setdefault(pin.snapshot, {"digest": pin.snapshot, "pinned": None, "runs": []})
        of["pinned"] = moment(pin.at)
        of["runs"].append({"request_id": pin.request_id, "version": versions.get(pin.request_id)})
    told = {pin.request_id for pin in pins}
    for version in reversed(known.versions):  # of runs that the record does not hold any more
        if version.pins is None or version.request_id in told:
            continue
        of = by_digest.setdefault(version.pins.snapshot, {"digest": version.pins.snapshot, "pinned": version.registered_at, "runs": []})
        of["runs"].append({"request_id": version.request_id, "version": version.version})
    champion = known.champion.version if known.champion else None
    for of in by_digest.values():
        of["champion"] = champion is not None and any(run["version"] == champion for run in of["runs"])
    return sorted(by_digest.values(), key=lambda of: of["pinned"].timestamp(), reverse=True)


def _snippets(stream: str, where: Where, snapshot: str | None) -> list[dict[str, str]]:
    """Lines to copy, with the paths as they are; keys are those of whoever runs them."""
    pinned = f'\nclient.dataset("{stream}", snapshot="{snapshot[:12]}").to_pandas()  # exactly what was trained on' if snapshot else ""
    commands = [
        f"driftloop datasets export {stream} -o {stream}.parquet",
        *([f"driftloop datasets export {stream} --snapshot {snapshot[:12]} -o training.parquet"] if snapshot else []),
        f"driftloop datasets show {stream}/inferences",
    ]
    options = (
        "options = {\n"
        f'    "AWS_ENDPOINT_URL": "{where.endpoint}", "AWS_REGION": "{where.region}", "AWS_ALLOW_HTTP": "true",\n'
        '    "AWS_ACCESS_KEY_ID": os.environ["AWS_ACCESS_KEY_ID"], "AWS_SECRET_ACCESS_KEY": os.environ["AWS_SECRET_ACCESS_KEY"],\n'
        "}\n"
    )
    table = f'DeltaTable("s3://{where.bucket}/lake/{stream}/inferences", storage_options=options)'
    return [
        {"name": "driftloop", "code": f'import driftloop\n\nclient = driftloop.Client()\nclient.dataset("{stream}").to_pandas(){pinned}'},
        {"name": "pandas", "code": f"import os\nfrom deltalake import DeltaTable\n\n{options}frame = {table}.to_pandas()"},
        {
            "name": "DuckDB",
            "code": f"import os\nimport duckdb\nfrom deltalake import DeltaTable\n\n{options}"
            f"inferences = {table}.to_pyarrow_dataset()\n"
            "duckdb.sql(\"select date_trunc('day', event_time) as day, count(*), avg(score) from inferences group by day order by day\")",
        },
        {"name": "command line", "code": "\n".join(commands)},
    ]
