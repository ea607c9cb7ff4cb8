"""Messages of writers with several schemas become rows of one table; what the table has no column for is said."""

import pyarrow as pa
import pytest
from tests.support.traffic import inference_rows, small_schema

from driftloop.contracts.headers import RequestRange, range_header
from driftloop.contracts.recalibration import RECALIBRATION_EPOCH
from driftloop.contracts.schema import Feature, StreamSchema
from driftloop.errors import InvalidMessage
from driftloop.ports import Record
from driftloop.rows.arrow_stream import encode_table
from driftloop.rows.feature_columns import UnknownFeatures
from driftloop.rows.inferences import InferenceDecoder
from driftloop.rows.schemas import inference_schema

OLD = small_schema("shop")
STORED = pa.schema([*inference_schema(OLD), pa.field("extra", pa.int64()), pa.field("kind__number", pa.float64())])


def schema(*features: Feature) -> StreamSchema:
    return StreamSchema(stream="shop", features=features, target=OLD.target)


def message(rows: pa.Table) -> Record:
    claimed = RequestRange(topic_id="t", partition=0, start=0, end=10)
    return Record("shop.inferences", 0, 0, 0, None, encode_table(rows), (range_header(claimed),))


def rows_of(*features: Feature, **columns: pa.Array) -> pa.Table:
    """Three rows, as a predictor with these features writes them."""
    rows = inference_rows(OLD, 0, 0, 3)
    wanted = inference_schema(schema(*features))
    have = {name: rows.column(name) for name in rows.column_names} | columns
    return pa.table([have[f.name] for f in wanted], schema=wanted)


def decoded(rows: pa.Table) -> pa.Table:
    return InferenceDecoder(OLD, STORED).decode(message(rows)).rows


AMOUNT, KIND, NIGHT = OLD.features
EXTRA = Feature(name="extra", type="integer", required=False)
THREE = pa.array([1, 2, 3])


def test_an_older_writer_leaves_nulls_and_a_newer_ones_features_are_kept() -> None:
    older, newer = decoded(rows_of(AMOUNT, KIND, NIGHT)), decoded(rows_of(EXTRA, NIGHT, KIND, AMOUNT, extra=THREE))
    assert older.schema == newer.schema == STORED
    assert older["extra"].null_count == 3
    assert newer["extra"].to_pylist() == [1, 2, 3]
    assert newer["amount"].to_pylist() == older["amount"].to_pylist()


def test_a_removed_feature_is_null_and_a_retyped_one_has_a_column_of_its_own() -> None:
    found = decoded(rows_of(Feature(name="kind", type="number"), AMOUNT, kind=pa.array([0.5, None, 1.5])))
    assert found["kind__number"].to_pylist() == [0.5, None, 1.5]
    assert found["kind"].null_count == 3
    assert found["night"].null_count == 3


@pytest.mark.parametrize(
    ("feature", "column"),
    [(Feature(name="other", type="number"), pa.array([0.5, 1, 2])), (Feature(name="amount", type="category"), pa.array(["a", "b", "c"]))],
)
def test_a_feature_without_a_column_is_said(feature: Feature, column: pa.Array) -> None:
    with pytest.raises(UnknownFeatures, match=feature.name):
        decoded(rows_of(*[f for f in OLD.features if f.name != feature.name], feature, **{feature.name: column}))


def test_the_other_columns_must_be_there_in_their_types() -> None:
    whole = rows_of(AMOUNT, KIND, NIGHT)
    with pytest.raises(InvalidMessage, match="missing columns"):
        decoded(whole.drop_columns(["scored_at"]))
    with pytest.raises(InvalidMessage, match="'score' is string"):
        decoded(whole.set_column(whole.schema.get_field_index("score"), "score", pa.array(["a", "b", "c"])))


def test_messages_of_programs_before_recalibrations_are_read_with_null_for_the_epoch() -> None:
    rows = rows_of(AMOUNT, KIND, NIGHT)
    named = rows.set_column(rows.column_names.index(RECALIBRATION_EPOCH), RECALIBRATION_EPOCH, pa.array([4, None, 5], pa.int64()))
    assert decoded(rows.drop_columns([RECALIBRATION_EPOCH]))[RECALIBRATION_EPOCH].null_count == 3
    assert decoded(named)[RECALIBRATION_EPOCH].to_pylist() == [4, None, 5]


def test_an_epoch_of_another_type_is_no_column_of_the_table() -> None:
    rows = rows_of(AMOUNT, KIND, NIGHT)
    wrong = rows.set_column(rows.column_names.index(RECALIBRATION_EPOCH), RECALIBRATION_EPOCH, pa.array(["a", "b", "c"]))
    with pytest.raises(UnknownFeatures, match="recalibration_epoch"):
        decoded(wrong)
