"""A small stream, project and model for tests of the predictor."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from driftloop.artifact import skops_file
from driftloop.artifact.model_files import CARD, LINEAGE, MODEL, PROFILE, Manifest, store_model, stored_files
from driftloop.contracts.values import TrainingPins
from driftloop.ports import ObjectStore
from driftloop.project.model import Project
from driftloop.project.reading import parse_project
from driftloop.training.parity import scoring_environment

START = datetime(2026, 3, 1, tzinfo=UTC)

_TOML = """
[project]
name = "{name}"
model = "{name}"

[stream]
name = "{name}"
allowed_lateness = "10s"

[features]
distance = "number"
stops = "integer"
night = "boolean"
carrier = "category"
note = {{ type = "category", required = false }}

[target]
name = "late"
type = "boolean"
metric = "roc_auc"

[windows]
every = "1d"

[serving]
environment = "{environment}"
"""


def sample_project(name: str, comment: str = "", environment: str = "warn") -> Project:
    pipeline = b"def build():\n    raise NotImplementedError\n" + comment.encode()
    return parse_project(
        {"driftloop.toml": _TOML.format(name=name, environment=environment).encode(), "pipeline.py": pipeline}, where="sample"
    )


def request(n: int, **changes: object) -> dict[str, object]:
    """Row ``n`` of the stream, one second after the one before."""
    row: dict[str, object] = {
        "event_id": f"e{n}",
        "event_time": (START + timedelta(seconds=n)).isoformat(),
        "entity": f"k{n % 7}",
        "distance": float(n % 100),
        "stops": n % 3,
        "night": n % 2 == 0,
        "carrier": "AB"[n % 2],
    }
    return row | changes


def request_json(n: int, **changes: object) -> bytes:
    return msgspec.json.encode(request(n, **changes))


def fitted(seed: int = 0, unknown: str = "ignore") -> Pipeline:
    """``unknown``: what becomes of a carrier that was not fitted: scikit-learn's own default is "error"."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "distance": random.uniform(0, 100, 200),
            "stops": random.integers(0, 3, 200).astype(float),
            "night": random.integers(0, 2, 200).astype(float),
            "carrier": pd.Categorical(random.choice(["A", "B"], 200)),
            "note": pd.Categorical(["x"] * 200),
        }
    )
    encode = ColumnTransformer(
        [("n", SimpleImputer(), ["distance", "stops", "night"]), ("c", OneHotEncoder(handle_unknown=unknown), ["carrier"])]
    )
    late = frame["distance"] + random.normal(0, 20, 200) > 50
    return Pipeline([("encode", encode), ("model", LogisticRegression())]).fit(frame, late)


def sample_pins() -> TrainingPins:
    digest = hashlib.sha256(b"pins").hexdigest()
    return TrainingPins(
        snapshot=digest,
        project=digest,
        environment=digest,
        code="test",
        seed=0,
        threads=1,
        evaluation_window=None,
        champion_version=None,
        champion_epoch=0,
    )


def store_sample_model(
    store: ObjectStore,
    project: Project,
    seed: int = 0,
    environment: dict[str, Any] | None = None,
    pins: TrainingPins | None = None,
    unknown: str = "ignore",
) -> str:
    """Digest of the stored manifest. Without ``environment`` it was fitted in this one."""
    contents = {MODEL: skops_file.dump(fitted(seed, unknown)), PROFILE: b"{}", CARD: b"# card", LINEAGE: b"{}"}
    manifest = Manifest(
        model=project.model,
        request_id=f"r{seed}",
        schema_fingerprint=project.schema.fingerprint(),
        recipe="all",
        rows=200,
        pins=sample_pins() if pins is None else pins,
        measurements=None,
        environment=scoring_environment() if environment is None else environment,
        files=stored_files(contents),
    )
    return store_model(store, manifest, contents)
