"""The rows of the data plane: a stream's declared schema and the Arrow schemas that follow from it."""

import hashlib
from typing import Annotated, Literal

import msgspec
import pyarrow as pa

from driftloop.contracts.names import Name
from driftloop.contracts.parts import Part

FeatureType = Literal["number", "integer", "boolean", "category"]
TargetType = Literal["number", "boolean", "category"]
Task = Literal["regression", "binary", "multiclass"]

TIME = pa.timestamp("us", tz="UTC")
ARROW_TYPES: dict[str, pa.DataType] = {
    "number": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "category": pa.string(),
}
# Columns that driftloop writes; a feature cannot be called so.
RESERVED = frozenset(
    "event_id event_time entity prediction score model_version scored_at request_offset partition offset label label_time".split()
)


class Feature(Part, frozen=True, kw_only=True):
    """One input of the model. ``required``: the field must be there; its value may still be null, which is missing."""

    name: str
    type: FeatureType
    required: bool = True


class Target(Part, frozen=True, kw_only=True):
    """What is predicted. boolean → binary, category → multiclass, number → regression."""

    name: str
    type: TargetType

    @property
    def task(self) -> Task:
        return {"boolean": "binary", "category": "multiclass", "number": "regression"}[self.type]  # type: ignore[return-value]


class StreamSchema(Part, frozen=True, kw_only=True, omit_defaults=True):
    """The declared columns of one stream. How they may change: ``contracts.evolution``.

    ``version`` is left out of the JSON, and so of the fingerprint, while it is 1.
    """

    stream: Name
    features: tuple[Feature, ...]
    target: Target
    version: Annotated[int, msgspec.Meta(ge=1)] = 1

    @property
    def feature_names(self) -> list[str]:
        return [feature.name for feature in self.features]

    @property
    def numeric(self) -> list[str]:
        """Features with an order (numbers, integers, booleans as 0 and 1)."""
        return [feature.name for feature in self.features if feature.type != "category"]

    @property
    def categorical(self) -> list[str]:
        return [feature.name for feature in self.features if feature.type == "category"]

    def fingerprint(self) -> str:
        """sha256 of the canonical JSON of the schema, hex."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()


def feature_fields(schema: StreamSchema) -> list[pa.Field]:
    return [pa.field(f.name, ARROW_TYPES[f.type]) for f in schema.features]


def request_schema(schema: StreamSchema) -> pa.Schema:
    """What applications may send to ``<stream>.requests`` as an Arrow batch. ``entity`` may be absent: the message key stands in."""
    return pa.schema(
        [
            pa.field("event_id", pa.string(), nullable=False),
            pa.field("event_time", TIME, nullable=False),
            pa.field("entity", pa.string()),
            *feature_fields(schema),
        ]
    )


def inference_schema(schema: StreamSchema) -> pa.Schema:
    """Rows on ``<stream>.inferences``.

    ``score`` is P(true) for binary, P(predicted class) for multiclass, the prediction for regression; null without a
    model, like ``prediction`` and ``model_version``. ``request_offset`` is null for rows that came by HTTP.
    """
    return pa.schema(
        [
            *request_schema(schema),
            pa.field("prediction", ARROW_TYPES[schema.target.type]),
            pa.field("score", pa.float64()),
            pa.field("model_version", pa.int64()),
            pa.field("scored_at", TIME, nullable=False),
            pa.field("request_offset", pa.int64()),
        ]
    )


def label_schema(schema: StreamSchema) -> pa.Schema:
    """Rows on ``<stream>.labels``: the event's id and time, the truth, and when it became known."""
    return pa.schema(
        [
            pa.field("event_id", pa.string(), nullable=False),
            pa.field("event_time", TIME, nullable=False),
            pa.field("label", ARROW_TYPES[schema.target.type], nullable=False),
            pa.field("label_time", TIME, nullable=False),
        ]
    )


def lake_schema(schema: StreamSchema, table: Literal["inferences", "labels"]) -> pa.Schema:
    """The columns of a lake table: the message's rows plus the partition and offset that they came in."""
    rows = inference_schema(schema) if table == "inferences" else label_schema(schema)
    return pa.schema([*rows, pa.field("partition", pa.int32(), nullable=False), pa.field("offset", pa.int64(), nullable=False)])
