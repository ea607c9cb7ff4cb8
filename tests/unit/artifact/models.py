"""Small models for the tests of the artifact: a schema with every type, rows, and pipelines fitted on them."""

import numpy as np
import pyarrow as pa
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from driftloop.artifact.scoring import target_values, to_frame
from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.project.model import Project
from driftloop.project.reading import parse_project

SCHEMA = StreamSchema(
    stream="shop",
    features=(
        Feature(name="price", type="number"),
        Feature(name="colour", type="category"),
        Feature(name="stock", type="integer"),
        Feature(name="sale", type="boolean"),
    ),
    target=Target(name="bought", type="boolean"),
)


def rows(n: int = 400, seed: int = 0) -> pa.Table:
    """Rows with missing values in every column and labels that follow price and colour."""
    random = np.random.default_rng(seed)
    price = random.normal(10, 3, n)
    colour = random.choice(["red", "green", "blue"], n)
    label = price + 3 * (colour == "red") + random.normal(0, 1, n) > 11
    return pa.table(
        {
            "price": pa.array(price, mask=random.random(n) < 0.05),
            "colour": pa.array(colour.astype(object), pa.string(), mask=random.random(n) < 0.05),
            "stock": pa.array(random.integers(0, 9, n), pa.int64(), mask=random.random(n) < 0.05),
            "sale": pa.array(random.random(n) < 0.3, pa.bool_(), mask=random.random(n) < 0.05),
            "label": pa.array(label),
        }
    )


def boosting(n: int = 400) -> Pipeline:
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)
    return fitted(
        make_pipeline(
            make_column_transformer((encoder, ["colour"]), remainder="passthrough"),
            HistGradientBoostingClassifier(max_iter=5, random_state=0, categorical_features=[0], min_samples_leaf=5),
        ),
        n,
    )


def forest() -> Pipeline:
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return fitted(
        make_pipeline(
            make_column_transformer((encoder, ["colour"]), remainder="passthrough"),
            RandomForestClassifier(n_estimators=3, max_depth=3, random_state=0),
        )
    )


def fitted(pipeline: Pipeline, n: int = 400, schema: StreamSchema = SCHEMA) -> Pipeline:
    table = rows(n)
    return pipeline.fit(to_frame(table, schema), target_values(table.column("label"), schema))


def project() -> Project:
    """A project with this schema."""
    features = "\n".join(f'{f.name} = "{f.type}"' for f in SCHEMA.features)
    config = f"""
[project]
name = "shop"
model = "buyers"
[stream]
name = "shop"
[features]
{features}
[target]
name = "bought"
type = "boolean"
metric = "roc_auc"
[windows]
every = "7d"
"""
    return parse_project({"driftloop.toml": config.encode(), "pipeline.py": b"def build():\n    raise NotImplementedError\n"}, "test")
