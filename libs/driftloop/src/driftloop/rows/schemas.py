"""The rows of the data plane: the Arrow schemas that follow from a stream's declared schema."""

import pyarrow as pa

from driftloop.contracts.canary import VERSION_RULE
from driftloop.contracts.class_probabilities import PROBABILITIES
from driftloop.contracts.column_types import COLUMN_TYPES, FeatureType
from driftloop.contracts.events import Table
from driftloop.contracts.recalibration import RECALIBRATION_EPOCH
from driftloop.contracts.schema import LABEL_COLUMNS, PLACE_COLUMNS, REQUEST_COLUMNS, SCORING_COLUMNS, StreamSchema

TIME = pa.timestamp("us", tz="UTC")
ARROW_TYPES: dict[FeatureType, pa.DataType] = {
    name: TIME if row.arrow == str(TIME) else pa.type_for_alias(row.arrow) for name, row in COLUMN_TYPES.items()
}
SHADOW = "shadow"  # the lake's table of what challengers answered; no snapshot pins it
OF_CHAMPION = "champion_"  # how its answers are called in the table of shadow rows
CLASS_PROBABILITIES = pa.field(PROBABILITIES, pa.map_(pa.string(), pa.float64()))
_KINDS: dict[pa.DataType, FeatureType] = {arrow: name for name, arrow in ARROW_TYPES.items()}


def kind_of(arrow: pa.DataType) -> FeatureType | None:
    """The declared type whose columns are so; None when there is none."""
    return _KINDS.get(arrow)


def holds_probabilities(columns: pa.Schema) -> bool:
    """Whether class probabilities are among the columns; a feature may have their name, and never their type."""
    return PROBABILITIES in columns.names and bool(columns.field(PROBABILITIES).type == CLASS_PROBABILITIES.type)


def feature_fields(schema: StreamSchema) -> list[pa.Field]:
    return [pa.field(f.name, ARROW_TYPES[f.type]) for f in schema.features]


def _fields(schema: StreamSchema, names: tuple[str, ...]) -> list[pa.Field]:
    """The columns beside the features. ``score`` is P(true) for binary, P(predicted class) for multiclass, the prediction for
    regression."""
    target = ARROW_TYPES[schema.target.type]
    known = [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("event_time", TIME, nullable=False),
        pa.field("entity", pa.string()),
        pa.field("prediction", target),
        pa.field("score", pa.float64()),
        pa.field("model_version", pa.int64()),
        pa.field("scored_at", TIME, nullable=False),
        pa.field("request_offset", pa.int64()),
        pa.field("label", target, nullable=False),
        pa.field("label_time", TIME, nullable=False),
        pa.field("partition", pa.int32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
    ]
    by_name = {field.name: field for field in known}
    return [by_name[name] for name in names]


def request_schema(schema: StreamSchema) -> pa.Schema:
    """What applications may send to ``<stream>.requests`` as an Arrow batch. ``entity`` may be absent: the message key stands in."""
    return pa.schema([*_fields(schema, REQUEST_COLUMNS), *feature_fields(schema)])


def inference_schema(schema: StreamSchema) -> pa.Schema:
    """Rows on ``<stream>.inferences``.

    ``prediction``, ``score`` and ``model_version`` are null without a model; ``request_offset`` is null for rows that came
    by HTTP. The epoch of the recalibration that corrected the answer follows, for streams whose features leave the name; null where
    none did, and in messages of programs that did not record it; then, in the same way, the rule that gave the row its version. Class
    probabilities come last, for streams that have them; null without a model, of one whose classes cannot be recorded, and in messages
    of programs that did not record them.
    """
    recalibration = [pa.field(RECALIBRATION_EPOCH, pa.int64())] if schema.has_recalibration_epoch else []
    rule = [pa.field(VERSION_RULE, pa.string())] if schema.has_version_rule else []
    probabilities = [CLASS_PROBABILITIES] if schema.has_probabilities else []
    return pa.schema([*request_schema(schema), *_fields(schema, SCORING_COLUMNS), *recalibration, *rule, *probabilities])


def label_schema(schema: StreamSchema) -> pa.Schema:
    """Rows on ``<stream>.labels``: the event's id and time, the truth, and when it became known."""
    return pa.schema(_fields(schema, ("event_id", "event_time", *LABEL_COLUMNS)))


def lake_schema(schema: StreamSchema, table: Table) -> pa.Schema:
    """The columns of a lake table: the message's rows plus the partition and offset that they came in."""
    rows = inference_schema(schema) if table == "inferences" else label_schema(schema)
    return pa.schema([*rows, *_fields(schema, PLACE_COLUMNS)])


def shadow_schema(schema: StreamSchema) -> pa.Schema:
    """The columns of the lake's table ``shadow``: for rows of the inferences, by their partition and offset, what a challenger answers.

    ``model_version``, ``prediction``, ``score`` and probabilities are the challenger's, all but the first null for a row that it cannot
    score, ``challenger_epoch`` is that of the alias that made it one, ``shadowed_at`` when it answered. What the champion had
    answered is beside it as ``champion_…``, and ``scored_at`` is when that was: of the copies of an event the join chooses the same one
    as among the inferences.
    """
    target = ARROW_TYPES[schema.target.type]
    fields = [
        *_fields(schema, (*REQUEST_COLUMNS, *SCORING_COLUMNS)),
        pa.field("challenger_epoch", pa.int64()),
        pa.field("shadowed_at", TIME),
        pa.field(f"{OF_CHAMPION}model_version", pa.int64()),
        pa.field(f"{OF_CHAMPION}prediction", target),
        pa.field(f"{OF_CHAMPION}score", pa.float64()),
        *([CLASS_PROBABILITIES, CLASS_PROBABILITIES.with_name(f"{OF_CHAMPION}{PROBABILITIES}")] if schema.has_probabilities else []),
    ]
    return pa.schema([*fields, *_fields(schema, PLACE_COLUMNS)])
