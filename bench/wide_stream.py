"""A made-up stream of 20 numeric and 5 categorical features."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from driftloop.contracts.schema import StreamSchema
from driftloop.project.model import Project
from driftloop.project.reading import parse_project
from driftloop.rows.schemas import inference_schema
from driftloop.statistics.histograms import build_profile
from driftloop.statistics.profile import Profile

NUMERIC, CATEGORICAL, BINS, CATEGORIES = 20, 5, 64, 30
SCHEMA_WORDS = f"{NUMERIC} numeric ({BINS} bins) and {CATEGORICAL} categorical features"
START = datetime(2024, 1, 1, tzinfo=UTC)
SPAN = timedelta(minutes=30)  # of event time, inside one window: the fold is measured, not the closing

_CONFIG = """
[project]
name = "{name}"
model = "{name}"
[stream]
name = "{name}"
allowed_lateness = "0s"
[features]
{features}
[target]
name = "bought"
type = "boolean"
metric = "roc_auc"
[windows]
every = "1h"
[monitoring]
bins = {bins}
"""


def wide_project(name: str) -> Project:
    features = [f'n{i} = "number"' for i in range(NUMERIC)] + [f'c{i} = "category"' for i in range(CATEGORICAL)]
    config = _CONFIG.format(name=name, features="\n".join(features), bins=BINS)
    return parse_project({"driftloop.toml": config.encode(), "pipeline.py": b"def build():\n    raise NotImplementedError\n"}, "bench")


def wide_rows(schema: StreamSchema, n: int) -> pa.Table:
    """Scored rows; 2 % of the values are missing. Request offsets are left null."""
    rng = np.random.default_rng(0)
    times = pa.array([START + SPAN * i / n for i in range(n)], pa.timestamp("us", tz="UTC"))
    columns = {
        "event_id": pa.array([f"event-{i:09d}" for i in range(n)]),
        "event_time": times,
        "entity": pa.array([f"entity-{i % 5000}" for i in range(n)]),
        **{f"n{i}": pa.array(rng.normal(i, 1 + i, n), mask=rng.random(n) < 0.02) for i in range(NUMERIC)},
        **{f"c{i}": pa.array([f"value-{v}" for v in rng.zipf(1.5, n) % CATEGORIES], mask=rng.random(n) < 0.02) for i in range(CATEGORICAL)},
        "prediction": pa.array(rng.random(n) < 0.2),
        "score": pa.array(rng.random(n)),
        "model_version": pa.repeat(pa.scalar(1, pa.int64()), n),
        "scored_at": times,
        "request_offset": pa.nulls(n, pa.int64()),
        "recalibration_epoch": pa.nulls(n, pa.int64()),
        "version_rule": pa.nulls(n, pa.string()),
    }
    return pa.table(columns, schema=inference_schema(schema))


def wide_profile(project: Project, rows: pa.Table) -> Profile:
    return build_profile(rows, rows.column("score").to_numpy(), project.schema, BINS)
