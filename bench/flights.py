"""The flights of the example project: its rows, and a model as the trainer would make it."""

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from driftloop.artifact import skops_file
from driftloop.artifact.scoring import Scorer
from driftloop.demo.example import DATA, example_folder
from driftloop.demo.flights import read_flights
from driftloop.project.model import CONFIG_FILE, Project
from driftloop.project.reading import parse_project, read_project
from driftloop.rows.schemas import inference_schema
from driftloop.statistics.histograms import build_profile
from driftloop.training.fit import TrainingRows, fit
from driftloop.training.user_code import load_build

FITTED_ROWS = 40_000  # the trees are as many and as large as with all rows; more rows only make the fit longer
THREADS = 1  # on a busy machine two wait for each other


class FlightsModel(NamedTuple):
    """``rows``: all requests of the year. ``skops`` and ``profile``: the stored files; ``scorer``: the model as loaded from them."""

    project: Project
    rows: pa.Table
    skops: bytes
    profile: bytes
    scorer: Scorer


def fit_flights(folder: Path) -> FlightsModel:
    """Fit the example's own pipeline; ``folder`` is where its code is laid out."""
    project = read_project(example_folder())
    flights = read_flights(example_folder() / DATA, project.schema)
    labels = flights.labels.slice(0, FITTED_ROWS).select(["event_id", "label"])
    joined = flights.requests.join(labels, "event_id", join_type="inner").sort_by("event_time").combine_chunks()
    rows = TrainingRows(joined, project)
    everything = np.ones(joined.num_rows, dtype=bool)
    pipeline = fit(load_build(project.files, folder), rows, everything, seed=0, threads=THREADS)
    data = skops_file.dump(pipeline)
    scorer = Scorer(skops_file.load(data, project.training.trusted_types), project.schema)
    scores = rows.output(pipeline, everything).scores
    profile = build_profile(joined, scores, project.schema, project.monitoring.bins)
    return FlightsModel(project, flights.requests, data, profile.encode(), scorer)


def flights_project(name: str) -> Project:
    """The example under another name, so that measurements do not share topics and tables."""
    files = dict(read_project(example_folder()).files)
    text = files[CONFIG_FILE].decode()
    text = re.sub(r'(?m)^name = "flights"', f'name = "{name}"', text)
    text = re.sub(r'(?m)^model = "[^"]*"', f'model = "{name}"', text)
    return parse_project(files | {CONFIG_FILE: text.encode()}, where="bench")


def as_json_rows(rows: pa.Table) -> list[bytes]:
    """Rows as applications send them."""
    encode = msgspec.json.Encoder().encode
    return [encode(row) for row in rows.to_pylist()]


def scored_flights(model: FlightsModel, project: Project, n: int, version: int = 1) -> pa.Table:
    """``n`` rows as the predictor would have written them, the year again and again if need be; request offsets are left null."""
    repeats = -(-n // model.rows.num_rows)
    rows = pa.concat_tables([model.rows] * repeats).slice(0, n).combine_chunks()
    prediction, score, _ = model.scorer.score(rows)
    scored_at = pa.compute.add(rows.column("event_time"), pa.scalar(timedelta(seconds=1)))
    nothing = pa.nulls(n, pa.int64())
    extra: Sequence[Any] = [prediction, score, pa.repeat(pa.scalar(version, pa.int64()), n), scored_at, nothing, nothing]
    schema = inference_schema(project.schema)
    columns = [*rows.columns, *extra]
    return pa.table([c.cast(f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)
