"""Arrow's times as Python's, without pandas."""

import pyarrow as pa
import pytest

from driftloop.lineage.arrow_values import plain_rows, plain_text, plain_values

MICROS = [0, 1, -1, 1_700_000_000_123_456, None]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_come_out_as_arrow_has_them(unit):
    column = pa.chunked_array([pa.array(MICROS, pa.timestamp("us", tz="UTC")).cast(pa.timestamp(unit, tz="UTC"), safe=False)])
    assert plain_values(column) == column.cast(pa.timestamp("us", tz="UTC")).to_pylist()


def test_rows_keep_their_columns():
    table = pa.table({"id": ["a", "b"], "at": pa.array([0, 1], pa.timestamp("us", tz="UTC")), "score": [0.5, None]})
    assert plain_rows(table) == table.to_pylist()


@pytest.mark.parametrize("text", ["", "e1", "é\0\n", "x" * 10_000])
def test_a_text_becomes_the_scalar_that_arrow_would_make(text):
    assert plain_text(text).equals(pa.scalar(text))


def test_class_probabilities_become_a_dict():
    column = pa.chunked_array([pa.array([[("a", 0.25), ("b", 0.75)], None], pa.map_(pa.string(), pa.float64()))])
    assert plain_values(column) == [{"a": 0.25, "b": 0.75}, None]
