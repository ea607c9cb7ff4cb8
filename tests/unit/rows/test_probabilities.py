"""Class probabilities on their way: written in one form only, refused in any other, read as the matrix that they were."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.traffic import event_time, inference_rows, several_schema, small_schema

from driftloop.contracts.class_probabilities import MAX_CLASSES, MAX_NAMES_BYTES
from driftloop.contracts.schema import RESERVED, Feature, StreamSchema, Target
from driftloop.errors import InvalidMessage
from driftloop.ports import Record
from driftloop.rows import probabilities
from driftloop.rows.arrow_stream import encode_table
from driftloop.rows.feature_columns import UnknownFeatures
from driftloop.rows.inferences import InferenceDecoder
from driftloop.rows.schemas import CLASS_PROBABILITIES, inference_schema, lake_schema, request_schema

SCHEMA = several_schema("s")
TYPE = CLASS_PROBABILITIES.type
SOUND = {"apple": 0.5, "pear": 0.2, "plum": 0.3}
MANY = {f"c{i:04}": 1 / (MAX_CLASSES + 1) for i in range(MAX_CLASSES + 1)}
LONG = {"n" * (MAX_NAMES_BYTES + 1): 1.0}


def message(*maps, prediction="apple", kind=TYPE, name="probabilities"):
    """An inferences message of a row for each map."""
    rows = inference_rows(SCHEMA, 0, 0, len(maps), http=True)
    for column, values, arrow in (("prediction", [prediction] * len(maps), pa.string()), (name, list(maps), kind)):
        at, field = rows.schema.get_field_index(column), pa.field(column, arrow)
        array = (
            values[0]
            if isinstance(values[0], pa.Array)
            else pa.array([list(v.items()) if isinstance(v, dict) else v for v in values], arrow)
        )
        rows = rows.set_column(at, field, array) if at >= 0 else rows.append_column(field, array)
    return encode_table(rows)


def decoded(value, schema=SCHEMA, stored=None):
    return InferenceDecoder(schema, stored).decode(Record("s.inferences", 0, 0, 0, None, value, ())).rows


def as_dicts(column):
    return column.to_pylist(maps_as_pydicts="strict")


@pytest.mark.parametrize("stored", [None, inference_schema(SCHEMA)])
def test_sound_probabilities_are_taken_as_they_are(stored):
    assert as_dicts(decoded(message(SOUND, None, {"apple": 1.0}), stored=stored).column("probabilities")) == [SOUND, None, {"apple": 1.0}]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"apple": 0.5, "pear": 0.2}, "add up to 0.7 and not to 1"),
        ({"apple": 1.5, "pear": -0.5}, "no number between 0 and 1"),
        ({"apple": float("nan"), "pear": 1.0}, "no number between 0 and 1"),
        ({"apple": float("inf"), "pear": 1.0}, "no number between 0 and 1"),
        ({"apple": None, "pear": 1.0}, "null instead of a probability"),
        ({"pear": 0.5, "apple": 0.5}, "not in the order of their names, each once"),
        ([("apple", 0.5), ("apple", 0.5)], "not in the order of their names, each once"),
        ({"pear": 0.5, "plum": 0.5}, "the prediction of a row is not one of its classes"),
        ({}, "names no class"),
        (MANY, f"{MAX_CLASSES + 1} classes; at most {MAX_CLASSES}"),
        (LONG, f"{MAX_NAMES_BYTES + 1} bytes long; at most {MAX_NAMES_BYTES}"),
    ],
)
@pytest.mark.parametrize("stored", [None, inference_schema(SCHEMA)])
def test_what_is_no_distribution_over_classes_is_refused_with_the_reason(bad, said, stored):
    for maps in ((bad,), (SOUND, None, bad), (bad, SOUND)):
        with pytest.raises(InvalidMessage, match=f"field 'probabilities': .*{said}"):
            decoded(message(*maps), stored=stored)


def test_probabilities_without_a_prediction_are_refused():
    with pytest.raises(InvalidMessage, match="not one of its classes"):
        decoded(message(SOUND, prediction=None))


def test_bytes_below_a_null_are_not_looked_at():
    names, values = pa.array(["pear", "apple", "apple"]), pa.array([7.0, 7.0, 1.0])
    maps = pa.MapArray.from_arrays(pa.array([0, 2, 3], pa.int32()), names, values, mask=pa.array([True, False]))
    assert as_dicts(decoded(message(maps, maps)).column("probabilities")) == [None, {"apple": 1.0}]


def test_messages_of_earlier_programs_have_null():
    rows = inference_rows(SCHEMA, 0, 0, 3, http=True).drop_columns(["probabilities"])
    assert "probabilities" not in decoded(encode_table(rows)).column_names
    stored = decoded(encode_table(rows), stored=inference_schema(SCHEMA))
    assert stored.column("probabilities").null_count == 3


@pytest.mark.parametrize("kind", [pa.list_(pa.float64()), pa.map_(pa.string(), pa.float32()), pa.map_(pa.int64(), pa.float64())])
def test_another_shape_is_an_unknown_column(kind):
    with pytest.raises(UnknownFeatures, match="probabilities"):
        decoded(message(None, kind=kind), stored=inference_schema(SCHEMA))


def test_a_column_that_is_there_twice_is_refused_also_in_the_order_that_is_expected():
    rows = inference_rows(SCHEMA, 0, 0, 1, http=True)
    ordered = rows.select([n for n in rows.column_names if n in RESERVED] + [n for n in rows.column_names if n not in RESERVED])
    twice = pa.Table.from_arrays([*ordered.columns, rows.column("probabilities")], schema=ordered.schema.append(CLASS_PROBABILITIES))
    for stored in (None, inference_schema(SCHEMA)):
        with pytest.raises(InvalidMessage, match="names a column twice"):
            decoded(encode_table(twice), stored=stored)


@pytest.mark.parametrize("target", ["boolean", "number"])
def test_streams_of_other_targets_know_nothing_of_them(target):
    schema = StreamSchema(stream="s", features=small_schema("s").features, target=Target(name="t", type=target))
    assert inference_schema(schema).names == [
        *("event_id", "event_time", "entity", "amount", "kind", "night"),
        *("prediction", "score", "model_version", "scored_at", "request_offset", "recalibration_epoch", "version_rule"),
    ]
    assert lake_schema(schema, "inferences").names == [*inference_schema(schema).names, "partition", "offset"]
    rows = inference_rows(schema, 0, 0, 1, http=True).append_column(CLASS_PROBABILITIES, pa.array([None], TYPE))
    for stored in (None, inference_schema(schema)):
        with pytest.raises(UnknownFeatures, match="probabilities"):
            decoded(encode_table(rows), schema, stored)


def test_a_feature_of_that_name_keeps_its_column_and_probabilities_are_not_recorded():
    schema = StreamSchema(stream="s", features=(Feature(name="probabilities", type="number"),), target=SCHEMA.target)
    assert not schema.has_probabilities
    assert request_schema(schema).field("probabilities").type == pa.float64()
    assert inference_schema(schema).names.count("probabilities") == 1
    row = {"event_id": "e", "event_time": event_time(0), "scored_at": event_time(0), "probabilities": 0.25}
    rows = pa.Table.from_pylist([row], schema=inference_schema(schema))
    for stored in (None, inference_schema(schema)):
        assert decoded(encode_table(rows), schema, stored).column("probabilities").to_pylist() == [0.25]


def test_a_table_whose_column_of_that_name_was_a_feature_has_another_for_them():
    stored = pa.schema(
        [*inference_schema(small_schema("s")).set(6, pa.field("prediction", pa.string())), pa.field("probabilities", pa.int64())]
    )
    stored = stored.append(pa.field("probabilities__map", TYPE))
    rows = decoded(message(SOUND), stored=stored)
    assert rows.column("probabilities").to_pylist() == [None]
    assert as_dicts(rows.column("probabilities__map")) == [SOUND]


CLASSES = st.lists(st.text(max_size=6), min_size=1, max_size=6, unique=True).map(sorted)


@settings(deadline=None)
@given(classes=CLASSES, rows=st.integers(0, 5), data=st.data())
def test_what_is_written_is_accepted_and_read_back_to_the_last_digit(classes, rows, data):
    weights = data.draw(st.lists(st.lists(st.floats(0.01, 1), min_size=len(classes), max_size=len(classes)), min_size=rows, max_size=rows))
    matrix = np.array(weights).reshape(rows, len(classes))
    matrix = matrix / matrix.sum(axis=1, keepdims=True)
    column = probabilities.encode(matrix, classes)
    column.validate(full=True)
    assert column.null_count == 0
    best = pa.array([classes[i] for i in matrix.argmax(axis=1)] if rows else [], pa.string())
    probabilities.check(pa.table({"probabilities": column, "prediction": best}))
    found, read = probabilities.matrix(pa.chunked_array([column]))
    assert (list(found), read.tolist()) == (classes if rows else [], matrix.tolist())


def test_rows_of_several_models_have_nought_for_the_classes_that_theirs_does_not_know():
    column = pa.chunked_array([pa.array([[("b", 1.0)], None, [("a", 0.25), ("c", 0.75)]], TYPE).slice(0, 1)])
    column = pa.chunked_array([*column.chunks, pa.array([None, [("a", 0.25), ("c", 0.75)]], TYPE).slice(1)])
    classes, values = probabilities.matrix(column)
    assert classes == ("a", "b", "c")
    assert values.tolist() == [[0.0, 1.0, 0.0], [0.25, 0.0, 0.75]]


def test_of_a_slice_the_rows_beside_it_are_not_read():
    column = probabilities.encode(np.array([[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]]), ("apple", "pear"))
    assert probabilities.matrix(pa.chunked_array([column.slice(1, 1)]))[1].tolist() == [[0.2, 0.8]]


def test_more_classes_over_all_rows_than_a_model_can_have_are_no_matrix():
    column = pa.chunked_array([pa.array([[(name, 1.0)] for name in MANY], TYPE)])
    assert probabilities.matrix(column) is None


def test_a_row_that_no_reader_would_accept_is_written_as_null_and_its_neighbours_are_not():
    nan, inf = float("nan"), float("inf")
    column = probabilities.encode(np.array([[0.5, 0.5], [0.5, 0.4], [nan, 1.0], [inf, 0.0], [1 + 1e-12, -1e-12], [1.2, -0.2]]), ["a", "b"])
    assert as_dicts(column) == [{"a": 0.5, "b": 0.5}, None, None, None, {"a": 1.0, "b": 0.0}, None]


@pytest.mark.parametrize("classes", [sorted(MANY), ["a", *LONG]])
def test_probabilities_of_too_many_classes_are_not_written(classes):
    assert probabilities.unrecordable(classes) is not None
    assert probabilities.encode(np.full((3, len(classes)), 1 / len(classes)), classes).null_count == 3
    assert probabilities.unrecordable(["a", "b"]) is None
