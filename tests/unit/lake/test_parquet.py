"""Files are named by their bytes, and their statistics are true bounds in valid JSON."""

import hashlib
import json
import math

import pyarrow as pa
import pytest
from tests.support.lake_rows import lake_inferences
from tests.support.traffic import small_schema

from driftloop.lake.parquet import encode_file, sha256_in_name

ROWS = lake_inferences(small_schema("s"), 2, 0, 5)


def encoded(rows=ROWS, topic_id="t"):
    return encode_file(rows, topic_id=topic_id, partition=2, first_offset=17)


def changed(**columns):
    rows = ROWS
    for name, values in columns.items():
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, rows.schema.field(at), pa.array(values, rows.schema.field(at).type))
    return rows


def test_the_same_rows_give_the_same_name_and_another_topic_another():
    file = encoded()
    assert file.path == f"2/17-{hashlib.sha256(file.data).hexdigest()}.parquet"
    assert encoded().path == file.path
    assert encoded(topic_id="recreated").path != file.path
    assert sha256_in_name(file.path) == file.sha256
    assert sha256_in_name("part-00001-c000.snappy.parquet") is None


def test_statistics_cover_every_column_that_has_values():
    stats = json.loads(encoded().stats)
    assert stats["numRecords"] == 5
    assert set(stats["nullCount"]) == set(ROWS.column_names)
    assert set(stats["minValues"]) == set(stats["maxValues"]) == {n for n in ROWS.column_names if ROWS[n].null_count < 5}
    assert (stats["minValues"]["event_time"], stats["maxValues"]["offset"]) == ("2024-03-01T00:00:00.000000Z", 4)


@pytest.mark.parametrize("values", [[math.nan] * 5, [math.inf, 1.0, 2.0, 3.0, -math.inf], [math.nan, 1.0, 2.0, 3.0, math.inf]])
def test_numbers_that_json_lacks_get_bounds_that_it_has(values):
    stats = json.loads(encoded(changed(amount=values)).stats)
    finite = [v for v in values if math.isfinite(v)] or [0.0]
    assert stats["minValues"]["amount"] <= min(finite) <= max(finite) <= stats["maxValues"]["amount"] < math.inf


def test_long_texts_get_short_bounds_that_still_hold():
    long = "z" * 100_000
    stats = json.loads(encoded(changed(kind=[long, "a" + long, "b", "c", "d"])).stats)
    assert len(encoded(changed(kind=[long] * 5)).stats) < 2500
    assert stats["minValues"]["kind"] <= "a" + long
    assert stats["maxValues"]["kind"] > long
