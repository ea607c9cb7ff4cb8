"""Files are named by their bytes, and their statistics are true bounds in valid JSON."""

import hashlib
import json

import pyarrow as pa
from tests.support.lake_rows import lake_inferences, lake_labels
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


def test_statistics_cover_the_columns_that_files_are_looked_up_by_and_no_feature():
    stats = json.loads(encoded().stats)
    assert stats["numRecords"] == 5
    looked_up = {"event_id", "event_time", "model_version", "partition", "offset", "request_offset"}
    assert set(stats["nullCount"]) == looked_up
    assert set(stats["minValues"]) == set(stats["maxValues"]) == {n for n in looked_up if ROWS[n].null_count < 5}
    assert (stats["minValues"]["event_time"], stats["maxValues"]["offset"]) == ("2024-03-01T00:00:00.000000Z", 4)
    labels = json.loads(encoded(lake_labels(small_schema("s"), 2, 0, 5)).stats)
    assert labels["maxValues"]["label_time"] == "2024-03-01T00:05:04.000000Z"


def test_a_thousand_features_add_nothing_to_the_log():
    wide = ROWS
    for n in range(1000):
        wide = wide.append_column(f"feature_{n}", pa.array([n / 7] * 5))
    assert encoded(wide).stats == encoded().stats


def test_long_texts_get_short_bounds_that_still_hold():
    long = "z" * 100_000
    stats = json.loads(encoded(changed(event_id=[long, "a" + long, "b", "c", "d"])).stats)
    assert len(encoded(changed(event_id=[long] * 5)).stats) < 1500
    assert stats["minValues"]["event_id"] <= "a" + long
    assert stats["maxValues"]["event_id"] > long
