"""A small project, its profiles, and inferences as the predictor would send them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from driftloop.contracts.events import WindowSketched
from driftloop.contracts.headers import Headers, RequestRange, range_header, watermark_header
from driftloop.contracts.values import Window
from driftloop.ports import TopicEnds
from driftloop.project.model import Project
from driftloop.project.reading import parse_project
from driftloop.rows.arrow_stream import encode_table
from driftloop.rows.schemas import inference_schema
from driftloop.statistics.histograms import Counter, build_profile, merge
from driftloop.statistics.profile import Profile

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
REQUESTS_ID = "requests-id"
REQUESTS = TopicEnds(REQUESTS_ID, dict.fromkeys(range(8), 2**50))  # more than any test's messages account for

CONFIG = """
[project]
name = "{name}"
model = "{name}"
[stream]
name = "{name}"
allowed_lateness = "0s"
[features]
amount = "number"
items = "integer"
member = "boolean"
country = "category"
[target]
name = "bought"
type = "boolean"
metric = "roc_auc"
[windows]
every = "1h"
[monitoring]
bins = 16
[policy]
min_new_labels = {min_new_labels}
"""


def make_project(name: str = "shop", min_new_labels: int = 50) -> Project:
    config = CONFIG.format(name=name, min_new_labels=min_new_labels)
    pipeline = b"from sklearn.pipeline import Pipeline\n\ndef build() -> Pipeline:\n    raise NotImplementedError\n"
    return parse_project({"driftloop.toml": config.encode(), "pipeline.py": pipeline}, "test")


def window(i: int) -> Window:
    return Window(start=START + i * HOUR, end=START + (i + 1) * HOUR)


def make_rows(
    project: Project, times: list[datetime], *, version: int | None = 1, seed: int = 0, first_request: int = 0, **extra: Any
) -> pa.Table:
    """Rows with the given event times; one request offset each."""
    rng, n = np.random.default_rng(seed), len(times)
    columns = {
        "event_id": pa.array([f"e{seed}-{i}" for i in range(n)]),
        "event_time": pa.array(times, pa.timestamp("us", tz="UTC")),
        "entity": pa.array(["x"] * n),
        "amount": pa.array(rng.normal(10 + seed % 3, 3, n), mask=rng.random(n) < 0.05),
        "items": pa.array(rng.poisson(2, n)),
        "member": pa.array(rng.random(n) < 0.4),
        "country": pa.array([f"c{v}" for v in rng.integers(0, 12, n)]),
        "prediction": pa.array(rng.random(n) < 0.5, mask=np.full(n, version is None)),
        "score": pa.array(rng.random(n), mask=np.full(n, version is None)),
        "model_version": pa.array([version] * n, pa.int64()),
        "scored_at": pa.array([datetime.now(UTC)] * n, pa.timestamp("us", tz="UTC")),
        "request_offset": pa.array(range(first_request, first_request + n), pa.int64()),
        "recalibration_epoch": pa.nulls(n, pa.int64()),
        "version_rule": pa.nulls(n, pa.string()),
    }
    return pa.table(columns | extra, schema=inference_schema(project.schema))


def make_profile(project: Project, seed: int) -> Profile:
    rows = make_rows(project, [START] * 2000, seed=seed)
    return build_profile(rows, rows.column("score").to_numpy(), project.schema, project.monitoring.bins)


def message(
    rows: pa.Table,
    start: int,
    end: int | None = None,
    *,
    partition: int = 0,
    watermark: datetime | None = None,
    topic_id: str = REQUESTS_ID,
) -> tuple[bytes, Headers]:
    """Value and headers of one message that accounts for requests [start, end), its rows numbered from ``start`` on."""
    covered = RequestRange(topic_id=topic_id, partition=partition, start=start, end=start + rows.num_rows if end is None else end)
    headers: Headers = (range_header(covered),)
    if watermark is not None:
        headers = (*headers, watermark_header(watermark))
    numbered = pa.array(range(start, start + rows.num_rows), pa.int64())
    return encode_table(rows.set_column(rows.schema.get_field_index("request_offset"), "request_offset", numbered)), headers


def in_batch(rows: pa.Table, profiles: dict[int, Profile]) -> dict[datetime, dict[int | None, Any]]:
    """What a single pass over all rows gives: per window start and version, (rows, counts)."""
    result: dict[datetime, dict[int | None, Any]] = {}
    hours = np.asarray(rows.column("event_time").cast(pa.int64())) // 3_600_000_000
    versions = rows.column("model_version").fill_null(-1).to_numpy()
    for hour in np.unique(hours):
        start = datetime.fromtimestamp(int(hour) * 3600, UTC)
        for version in np.unique(versions[hours == hour]):
            chosen = rows.filter(pa.array((hours == hour) & (versions == version)))
            counts = None if version < 0 else {k: v.tolist() for k, v in Counter(profiles[int(version)]).count(chosen).items()}
            result.setdefault(start, {})[None if version < 0 else int(version)] = (chosen.num_rows, counts)
    return result


def together(sketches: list[WindowSketched]) -> dict[datetime, dict[int, Any]]:
    """The newest sketch per window and partition, added up: per window start and version, (rows, counts)."""
    newest: dict[tuple[datetime, int], WindowSketched] = {}
    for sketch in sketches:
        key = sketch.window.start, sketch.partition
        if key not in newest or newest[key].closing_offset <= sketch.closing_offset:
            newest[key] = sketch
    total: dict[datetime, dict[int, Any]] = {}
    for (start, _), sketch in newest.items():
        for part in sketch.sketches:
            counts = {name: np.array(c) for name, c in part.counts.items()}
            rows, before = total.setdefault(start, {}).get(part.version, (0, None))
            total[start][part.version] = rows + part.rows, counts if before is None else merge(before, counts)
    return {
        start: {version: (rows, {k: v.tolist() for k, v in counts.items()}) for version, (rows, counts) in versions.items()}
        for start, versions in total.items()
    }
