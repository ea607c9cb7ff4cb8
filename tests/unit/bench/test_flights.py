"""Rows and projects that the measurements feed to services."""

import json

from bench.flights import as_json_rows, flights_project
from bench.inference_messages import ROWS_PER_MESSAGE, InferenceWriter
from bench.wide_stream import BINS, wide_profile, wide_project, wide_rows

from driftloop.adapters.memory import MemoryBroker
from driftloop.contracts.headers import request_range
from driftloop.demo.example import example_folder
from driftloop.project.reading import open_archive, read_project
from driftloop.rows.arrow_stream import decode_table
from driftloop.rows.schemas import inference_schema


def test_the_example_under_another_name_shares_neither_stream_nor_model() -> None:
    example, renamed = read_project(example_folder()), flights_project("bench-x")
    assert (renamed.name, renamed.stream, renamed.model) == ("bench-x", "bench-x", "bench-x")
    assert renamed.schema.features == example.schema.features
    assert renamed.windows == example.windows
    assert open_archive(renamed.archive()) == renamed  # services read it from the archive


def test_a_wide_stream_has_the_features_and_bins_of_the_aim() -> None:
    project = wide_project("wide")
    rows = wide_rows(project.schema, 5_000)
    profile = wide_profile(project, rows)
    assert (len(project.schema.numeric), len(project.schema.categorical)) == (20, 5)
    assert {len(profile.columns[name].uppers) for name in project.schema.numeric} == {BINS}


def test_messages_account_for_the_requests_of_their_partition_without_a_gap() -> None:
    project, broker = wide_project("wide"), MemoryBroker()
    broker.create_topic("wide.inferences", partitions=2)
    writer = InferenceWriter(broker.producer(), "wide.inferences", partitions=2)
    rows = wide_rows(project.schema, 4 * ROWS_PER_MESSAGE)
    for _ in range(2):
        writer.send(rows)
    expected = dict.fromkeys((0, 1), 0)
    for record in broker.records("wide.inferences"):
        covered = request_range(record.headers)
        assert covered is not None
        assert (covered.partition, covered.start) == (record.partition, expected[record.partition])
        table = decode_table(record.value, inference_schema(project.schema))
        assert table.column("request_offset").to_pylist() == list(range(covered.start, covered.end))
        expected[record.partition] = covered.end
    assert expected == {0: 4 * ROWS_PER_MESSAGE, 1: 4 * ROWS_PER_MESSAGE}


def test_rows_as_json_are_what_the_predictor_decodes() -> None:
    project = wide_project("wide")
    rows = wide_rows(project.schema, 3)
    first = json.loads(as_json_rows(rows)[0])
    assert first["event_id"] == "event-000000000"
    assert first["event_time"] == "2024-01-01T00:00:00Z"
