"""What ingest makes of traffic, on the real store and with a broker in memory."""

from datetime import timedelta

import pytest
from tests.support.ingesting import Ingest
from tests.support.traffic import event_id, event_time

from driftloop.contracts.codec import decode_event
from driftloop.errors import GapError
from driftloop.lake.cursors import offsets_in
from driftloop.lake.table import LakeTable, app_id, request_app_id
from driftloop.service.quarantine import read_quarantined


def event_ids(table):
    return sorted(table.read(["event_id"])["event_id"].to_pylist())


def opened(s3_settings, stream, name):
    return LakeTable.open(s3_settings, stream, name)


def commits(broker):
    """The lake's events with their ids."""
    return [(about.id, event) for event, about in (decode_event(r.value, r.headers) for r in broker.records("dataset-versions"))]


def test_every_row_is_in_the_lake_once_with_where_it_came_from(broker, s3_settings, traffic, stream):
    for partition in (0, 1):
        traffic.scored(partition, 0, 70)
        traffic.scored(partition, 70, 130, quarantined=(80, 81))
        for n in range(30):
            traffic.label(partition, n)
    ingest = Ingest(broker, s3_settings, traffic.schema)
    ingest.run_until_caught_up()

    inferences, labels = opened(s3_settings, stream, "inferences"), opened(s3_settings, stream, "labels")
    expected = sorted(event_id(p, n) for p in (0, 1) for n in range(130) if n not in (80, 81))
    assert event_ids(inferences) == expected
    assert event_ids(labels) == sorted(event_id(p, n) for p in (0, 1) for n in range(30))
    rows = inferences.read(["event_id", "partition", "offset"]).to_pylist()
    assert {(r["partition"], r["offset"]) for r in rows} == {(p, o) for p in (0, 1) for o in (0, 1)}
    assert inferences.cursor(app_id(f"{stream}.inferences-id", 0)) == 2
    assert inferences.cursor(request_app_id("requests-id", 1)) == 130
    quarantined = [
        m.quarantined for v in range(1, inferences.version + 1) for m in inferences.note(v).moves if m.topic.endswith(".requests")
    ]
    assert sorted(o for spans in quarantined for o in offsets_in(spans)) == [80, 80, 81, 81]


def test_each_commit_is_announced_after_it_is_there_and_a_restart_repeats_the_last(broker, s3_settings, traffic, stream):
    traffic.scored(0, 0, 10)
    Ingest(broker, s3_settings, traffic.schema).run_until_caught_up()
    first = commits(broker)
    assert [event.version for _, event in first if event.table == "inferences"] == [1]

    Ingest(broker, s3_settings, traffic.schema).run_until_caught_up()
    again = commits(broker)[len(first) :]
    assert [pair for pair in again if pair[1].table == "inferences"] == [pair for pair in first if pair[1].table == "inferences"]


def test_an_overlap_is_trimmed_and_a_repeat_changes_nothing(broker, s3_settings, traffic, stream):
    traffic.scored(0, 0, 50)
    traffic.scored(0, 20, 60)
    traffic.scored(0, 0, 30)
    Ingest(broker, s3_settings, traffic.schema).run_until_caught_up()
    traffic.scored(0, 55, 65)  # after a restart the cursor comes from the table
    Ingest(broker, s3_settings, traffic.schema).run_until_caught_up()
    assert event_ids(opened(s3_settings, stream, "inferences")) == sorted(event_id(0, n) for n in range(65))


def test_a_gap_in_the_requests_stops_loudly_and_keeps_what_came_before(broker, s3_settings, traffic, stream):
    traffic.scored(0, 0, 10)
    traffic.scored(0, 12, 20)
    ingest = Ingest(broker, s3_settings, traffic.schema)
    with pytest.raises(GapError, match=r"requests 10 to 11 of partition 0"):
        ingest.run_until_it_fails()
    assert event_ids(opened(s3_settings, stream, "inferences")) == sorted(event_id(0, n) for n in range(10))


def test_rows_by_http_are_stored_as_they_come(broker, s3_settings, traffic, stream):
    traffic.scored_by_http(0, 0, 5)
    traffic.scored_by_http(0, 0, 5)
    Ingest(broker, s3_settings, traffic.schema).run_until_caught_up()
    assert len(event_ids(opened(s3_settings, stream, "inferences"))) == 10


def test_a_watermark_alone_is_committed_and_never_falls(broker, s3_settings, traffic, stream):
    late, early = event_time(5000), event_time(10)
    traffic.promise(traffic.labels, 0, late)
    Ingest(broker, s3_settings, traffic.schema).run_until_caught_up()
    traffic.promise(traffic.labels, 0, early)
    traffic.label(1, 100, known=event_time(200))
    Ingest(broker, s3_settings, traffic.schema).run_until_caught_up()
    assert opened(s3_settings, stream, "labels").watermarks() == {0: late, 1: event_time(200)}


def test_the_watermark_of_rows_is_their_highest_time(broker, s3_settings, traffic, stream):
    traffic.scored(1, 0, 90)
    Ingest(broker, s3_settings, traffic.schema).run_until_caught_up()
    assert opened(s3_settings, stream, "inferences").watermarks() == {1: event_time(89)}
    (event,) = [event for _, event in commits(broker) if event.table == "inferences"]
    assert (event.event_time_min, event.event_time_max, event.rows) == (event_time(0), event_time(89), 90)
    assert event.watermarks == {"1": event_time(89)}


BAD_LABELS = {
    b"\xff\xfe{": "JSON",
    b'{"event_id": "a\xff", "event_time": "2024-03-01T00:00:00Z", "label": true}': "UTF-8",
    b'{"event_id": "a"': "JSON",
    b'{"event_id": "a", "event_time": "2024-03-01T00:00:00Z"}': "label",
    b'{"event_id": "a", "event_time": "2024-03-01T00:00:00Z", "label": 1}': "label",
    b'{"event_id": "a", "event_time": "2024-03-01T00:00:00Z", "label": null}': "label",
    b'{"event_id": "a", "event_time": "2024-03-01T00:00:00", "label": true}': "event_time",
    b'{"event_id": "", "event_time": "2024-03-01T00:00:00Z", "label": true}': "event_id",
    b'{"event_id": "' + b"x" * 513 + b'", "event_time": "2024-03-01T00:00:00Z", "label": true}': "512",
    b'{"event_id": "a", "event_time": "2024-03-01T00:00:00Z", "label": true, "x": ' + b"[" * 1000 + b"]" * 1000 + b"}": "deep",
    b"[" * 100_000: "object",
    b"null": "object",
}


def test_bad_labels_are_quarantined_with_their_bytes_and_named_in_the_commit(broker, s3_settings, traffic, stream):
    traffic.label(0, 0)
    for value in BAD_LABELS:
        traffic.raw_label(0, value, key=b"the-key")
    traffic.raw_label(0, None)
    traffic.raw_label(0, b"no arrow", content_type="application/vnd.apache.arrow.stream")
    traffic.label(0, 1)
    Ingest(broker, s3_settings, traffic.schema).run_until_caught_up()

    labels = opened(s3_settings, stream, "labels")
    assert event_ids(labels) == [event_id(0, 0), event_id(0, 1)]
    found = [read_quarantined(r) for r in broker.records(f"{stream}.quarantine")]
    assert [(q.topic, q.partition, q.offset) for q in found] == [(f"{stream}.labels", 0, n + 1) for n in range(len(BAD_LABELS) + 2)]
    for quarantined, (value, word) in zip(found, BAD_LABELS.items(), strict=False):
        assert quarantined.record.value == value
        assert quarantined.record.key == b"the-key"
        assert word in quarantined.reason, quarantined.reason
    named = [o for v in range(1, labels.version + 1) for m in labels.note(v).moves for o in offsets_in(m.quarantined)]
    assert named == [q.offset for q in found]


def test_a_label_with_unknown_fields_is_taken_and_without_a_time_gets_that_of_its_message(broker, s3_settings, traffic, stream):
    traffic.raw_label(0, b'{"event_id": "a", "event_time": "2024-03-01T01:00:00+01:00", "label": false, "extra": {"a": [1]}}')
    Ingest(broker, s3_settings, traffic.schema).run_until_caught_up()
    (row,) = opened(s3_settings, stream, "labels").read().to_pylist()
    (record,) = broker.records(traffic.labels)
    assert row["event_time"] == event_time(0)
    assert abs(row["label_time"].timestamp() - record.timestamp_ms / 1000) < 0.001


def test_inferences_of_a_stranger_are_quarantined_and_leave_no_gap(broker, s3_settings, traffic, stream):
    traffic.scored(0, 0, 10)
    traffic.scored(0, 10, 20, value=b"not an arrow stream")
    traffic.scored(0, 20, 30)
    Ingest(broker, s3_settings, traffic.schema).run_until_caught_up()
    inferences = opened(s3_settings, stream, "inferences")
    assert event_ids(inferences) == sorted(event_id(0, n) for n in (*range(10), *range(20, 30)))
    (quarantined,) = [read_quarantined(r) for r in broker.records(f"{stream}.quarantine")]
    assert (quarantined.record.value, quarantined.offset) == (b"not an arrow stream", 1)
    requests = [m for v in range(1, inferences.version + 1) for m in inferences.note(v).moves if m.topic.endswith(".requests")]
    assert [o for m in requests for o in offsets_in(m.quarantined)] == list(range(10, 20))


def test_a_recreated_topic_is_read_from_its_beginning(broker, s3_settings, traffic, stream):
    traffic.label(0, 0, known=event_time(10) + timedelta(hours=1))
    Ingest(broker, s3_settings, traffic.schema).run_until_caught_up()
    Ingest(broker, s3_settings, traffic.schema, topic_ids=lambda topic: f"{topic}-second-id").run_until_caught_up()
    assert event_ids(opened(s3_settings, stream, "labels")) == [event_id(0, 0)] * 2
