"""Versions of data as a person reads them."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Console

from driftloop.cli.output import table
from driftloop.client.datasets import Datasets, SnapshotDetails, TableHistory
from driftloop.contracts.values import OffsetRange
from driftloop.history.training_use import TrainedOn
from driftloop.lake.split import SplitRule

SHOWN_DIGITS = 12


def render_list(console: Console, found: Datasets) -> None:
    render_tables(console, found.tables)
    rows = (
        (
            s.stream,
            s.digest[:SHOWN_DIGITS],
            _seconds(s.start),
            _seconds(s.end),
            s.rows["inferences"],
            s.rows["labels"],
            s.schema_fingerprint[:SHOWN_DIGITS],
            ", ".join(map(_shown_run, s.trained)) or None,
        )
        for s in found.snapshots
    )
    console.print(table("Snapshots", ("stream", "digest", "from", "to", "inferences", "labels", "schema", "trained"), rows))


def render_tables(console: Console, tables: Sequence[TableHistory]) -> None:
    rows = (
        (
            t.stream,
            t.table,
            t.version,
            t.rows,
            t.files,
            _seconds(t.event_time_min),
            _seconds(t.event_time_max),
            _seconds(t.watermark),
            t.schema_fingerprint[:SHOWN_DIGITS],
        )
        for t in tables
    )
    console.print(table("Tables", ("stream", "table", "version", "rows", "files", "from", "to", "watermark", "schema"), rows))
    for t in tables:
        lines = (
            (
                v.version,
                _seconds(v.at),
                v.operation,
                v.rows,
                _seconds(v.event_time_min),
                _seconds(v.event_time_max),
                _shown_ranges(v.ranges),
                v.schema_fingerprint[:SHOWN_DIGITS],
            )
            for v in t.versions
        )
        columns = ("version", "at", "by", "rows added", "from", "to", "offsets", "schema")
        console.print(table(f"Newest versions of {t.stream}/{t.table}", columns, lines))


def _shown_ranges(ranges: Sequence[OffsetRange]) -> str:
    """A line per topic, `partition: from–to`, the end excluded."""
    topics: dict[str, list[str]] = {}
    for r in ranges:
        topics.setdefault(r.topic.rpartition(".")[2], []).append(f"{r.partition}: {r.start}–{r.end}")
    return "\n".join(f"{topic} {', '.join(parts)}" for topic, parts in topics.items())


def _seconds(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"


def _shown_run(run: TrainedOn) -> str:
    return f"{run.model} v{run.version}" if run.version is not None else f"{run.model} run {run.request_id[:8]} {run.state}"


def render_snapshot(console: Console, found: SnapshotDetails) -> None:
    snapshot, content = found.snapshot, found.snapshot.content
    console.print(f"snapshot {found.digest}\nstream {content.stream}, event time {content.start or 'from the beginning'} to {content.end}")
    console.print(f"split: {shown_split(content.split)}\nschema {content.schema_fingerprint}", markup=False, highlight=False)
    ranges = ((r.table, r.topic, r.partition, r.start, r.end, r.topic_id) for r in content.ranges)
    console.print(table("Offsets", ("table", "topic", "partition", "from", "to", "topic id"), ranges))
    files = ((f.table, f.rows, f.size, f.path) for f in snapshot.files)
    console.print(table("Files", ("table", "rows", "bytes", "path"), files))
    runs = ((t.model, t.version, t.state, t.recipe, t.request_id, t.manifest) for t in found.trained)
    console.print(table("Trained on it", ("model", "version", "state", "recipe", "request", "manifest"), runs))


def shown_split(split: SplitRule) -> str:
    """The rule in words, complete enough to be computed by hand."""
    return (
        f"{split.hash} of salt {split.salt!r}, 0x1f and {split.key}, modulo {split.buckets:,} buckets; "
        f"those from {split.held_out_from:,} on are never fitted"
    )
