"""The rows of the data plane: the Arrow schemas that follow from a stream's declared schema."""

from typing import Literal

import pyarrow as pa

from driftloop.contracts.schema import StreamSchema

TIME = pa.timestamp("us", tz="UTC")
ARROW_TYPES: dict[str, pa.DataType] = {
    "number": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "category": pa.string(),
}


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
