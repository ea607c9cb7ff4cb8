"""What records become in a buffer, without a broker or a store."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.traffic import START, Traffic, event_time, inference_rows, small_schema

from driftloop.adapters.memory import FixedClock, MemoryBroker
from driftloop.contracts.gaps import AcceptedGap
from driftloop.contracts.headers import ARROW, RequestRange, range_header, watermark_header
from driftloop.errors import GapError, TransientError
from driftloop.ports import Record, TopicEnds, TopicPartition
from driftloop.rows.arrow_stream import encode_table
from driftloop.rows.request_ranges import check_end
from driftloop.rows.schemas import inference_schema, label_schema
from driftloop_ingest.buffer import Buffer
from driftloop_ingest.intake import InferenceIntake, LabelIntake

SCHEMA = small_schema("s")
LATER = datetime(2030, 1, 1, tzinfo=UTC)


class Partition:
    """Traffic of one partition, taken into a buffer over a lake that keeps what was cut."""

    def __init__(self, intake_type, topic, lateness=timedelta(0), now=LATER, **options):
        self.broker = MemoryBroker()
        for each in (topic, "s.inferences", "s.labels"):
            self.broker.create_topic(each)
        self.traffic = Traffic(self.broker.producer(), "s")
        self.intake = intake_type(SCHEMA, lateness, FixedClock(now), **options)
        self.buffer = Buffer(TopicPartition(topic, 0), "topic-id", 0, first=True)
        self.topic, self.lake, self.cuts = topic, {}, []

    def take(self):
        """Everything new in the topic; whether a watermark asked for a flush."""
        records = [r for r in self.broker.records(self.topic) if r.offset >= self.buffer.next]
        flush = False
        while records:
            few = self.intake.few(records)
            flush |= self.intake.take(records[:few], self.buffer, self.lake.get)
            records = records[few:]
        return flush

    def cut(self):
        cut = self.buffer.cut()
        if cut is not None:
            self.cuts.append(cut)
            for move in cut.moves:
                assert self.lake.get(move.cursor) == move.expected
                self.lake[move.cursor] = move.end
        return cut


class Requests:
    """A topic of requests, and what was given up of it."""

    def __init__(self, first, end, *gaps):
        self._first, self._gaps = first, gaps
        self._ends = TopicEnds("requests-id", {0: end})

    def check_end(self, claimed):
        check_end(claimed, self._ends)

    def beginning(self, topic_id, partition):
        return self._first

    def gaps(self):
        return self._gaps


def gap(start, end):
    return AcceptedGap(topic="s.requests", topic_id="requests-id", partition=0, start=start, end=end, reason="r", by="Kim", at=LATER)


def inferences(**options):
    return Partition(InferenceIntake, "s.inferences", **options)


def labels(**options):
    return Partition(LabelIntake, "s.labels", **options)


steps = st.lists(st.one_of(st.tuples(st.integers(0, 12), st.integers(0, 12)), st.just("cut")), max_size=12)


@settings(deadline=None, max_examples=60)
@given(steps)
def test_whatever_overlaps_arrive_and_whenever_it_is_cut_each_request_is_in_once(steps):
    partition, reached = inferences(), 0
    for step in steps:
        if step == "cut":
            partition.cut()
            continue
        back, forward = step
        start = max(0, reached - back)
        partition.traffic.scored(0, start, reached + forward)
        reached += forward
        partition.take()
    partition.cut()
    rows = [n for cut in partition.cuts if cut.rows is not None for n in cut.rows["request_offset"].to_pylist()]
    assert rows == list(range(reached))
    topic_moves = [cut.moves[0] for cut in partition.cuts]
    assert [m.start for m in topic_moves] == [0, *(m.end for m in topic_moves[:-1])][: len(topic_moves)]


def test_a_gap_takes_nothing_of_its_record():
    partition = inferences()
    partition.traffic.scored(0, 0, 5)
    partition.traffic.scored(0, 6, 9)
    with pytest.raises(GapError):
        partition.take()
    cut = partition.cut()
    assert (cut.rows.num_rows, [m.end for m in cut.moves]) == (5, [1, 5])


def test_a_message_that_only_accounts_for_quarantined_requests_moves_the_cursor():
    partition = inferences()
    partition.traffic.scored(0, 0, 3, quarantined=(0, 1, 2))
    partition.take()
    cut = partition.cut()
    assert cut.rows is None
    assert cut.moves[1].quarantined == ((0, 3),)


@pytest.mark.parametrize(
    ("claimed", "reason"),
    [
        (RequestRange(topic_id="r", partition=1, start=0, end=3), "requests of partition 1 in partition 0"),
        (RequestRange(topic_id="r", partition=0, start=3, end=0), "no range"),
        (RequestRange(topic_id="requests-id", partition=0, start=0, end=2**60), "there are none from 200000 on"),
        (RequestRange(topic_id="requests-id", partition=0, start=0, end=200_001), "there are none from 200000 on"),
        (RequestRange(topic_id="r", partition=0, start=0, end=2**63), "<= 9223372036854775807"),
        (RequestRange(topic_id="r", partition=0, start=0, end=2**20, quarantined=tuple(range(100_001))), "names 100001 quarantined"),
        (RequestRange(topic_id="r", partition=0, start=0, end=3, quarantined=(7,)), "outside of its range"),
        (RequestRange(topic_id="r", partition=0, start=0, end=2), "outside of"),
    ],
)
def test_a_range_that_cannot_be_true_is_rejected(claimed, reason):
    partition = inferences(requests=Requests(0, 200_000))
    partition.traffic.scored(0, 0, 3)
    (good,) = partition.broker.records("s.inferences")
    partition.intake.take([good._replace(headers=(range_header(claimed),))], partition.buffer, partition.lake.get)
    ((_, said),) = partition.cut().rejected
    assert reason in said


def test_a_message_that_says_it_accounts_for_another_partitions_requests_accounts_for_none():
    partition = inferences(requests=Requests(0, 200_000))
    partition.traffic.scored(0, 0, 3)
    (good,) = partition.broker.records("s.inferences")
    forged = range_header(RequestRange(topic_id="requests-id", partition=1, start=0, end=150_000))
    partition.intake.take([good._replace(headers=(forged,))], partition.buffer, partition.lake.get)
    (move,) = partition.cut().moves
    assert move.topic == "s.inferences"


def test_an_empty_first_range_says_where_the_next_one_has_to_begin():
    partition = inferences(requests=Requests(0, 200_000))
    partition.traffic.scored(0, 0, 3)
    (good,) = partition.broker.records("s.inferences")
    watermark_alone = good._replace(value=b"", headers=(range_header(RequestRange(topic_id="r", partition=0, start=0, end=0)),))
    partition.intake.take([watermark_alone], partition.buffer, partition.lake.get)
    _, first = partition.cut().moves
    assert (first.first, first.start, first.end) == (True, 0, 0)


def reranged(record, **claimed):
    return record._replace(headers=(range_header(RequestRange(topic_id="requests-id", partition=0, **claimed)),))


def test_an_aborted_transaction_of_any_length_is_offsets_without_rows():
    """100,001 records that nobody may read, then three: offsets are not rows."""
    partition = inferences(requests=Requests(0, 200_000))
    partition.traffic.scored(0, 100_001, 100_004)
    partition.traffic.scored(0, 100_005, 100_007)
    first, second = partition.broker.records("s.inferences")
    partition.intake.take([reranged(first, start=0, end=100_005), second], partition.buffer, partition.lake.get)
    cut = partition.cut()
    assert not cut.rejected
    assert cut.rows["request_offset"].to_pylist() == [100_001, 100_002, 100_003, 100_005, 100_006]
    assert (cut.moves[1].start, cut.moves[1].end) == (0, 100_007)


def test_a_rejected_message_accounts_for_its_requests_whatever_is_wrong_with_it():
    partition = inferences(requests=Requests(0, 200_000))
    partition.traffic.scored(0, 0, 3)
    (good,) = partition.broker.records("s.inferences")
    wide = reranged(good._replace(value=b"not an Arrow stream"), start=0, end=150_000)
    outside = reranged(good._replace(offset=1), start=150_000, end=150_010, quarantined=(7,))
    partition.intake.take([wide, outside], partition.buffer, partition.lake.get)
    cut = partition.cut()
    assert len(cut.rejected) == 2
    assert (cut.moves[1].end, cut.moves[1].quarantined) == (150_010, ((0, 150_000), (150_000, 150_010)))


@pytest.mark.parametrize("end", [2**40, 100, 4], ids=["wide", "narrow", "by one"])
def test_a_forged_range_beyond_the_requests_does_not_make_those_to_come_seem_known(end):
    partition = inferences(requests=Requests(0, 3))
    partition.traffic.scored(0, 0, 3)
    (good,) = partition.broker.records("s.inferences")
    forged = reranged(good, start=0, end=end)
    unreadable = forged._replace(value=b"not an Arrow stream", offset=1)
    partition.intake.take([forged, unreadable, good._replace(offset=2)], partition.buffer, partition.lake.get)
    cut = partition.cut()
    assert (len(cut.rejected), cut.rows.num_rows, cut.moves[1].end) == (2, 3, 3)


@pytest.mark.parametrize(("first", "loud"), [(0, True), (3, True), (4, False), (9, False)])
def test_the_first_range_begins_where_the_requests_begin(first, loud):
    partition = inferences(requests=Requests(first, 100))
    partition.traffic.scored(0, 4, 9)
    if loud:
        with pytest.raises(GapError, match=rf"requests {first} to 3 .* the first range is \[4, 9\).*accept-gap"):
            partition.take()
        return
    partition.take()
    cut = partition.cut()
    assert (cut.moves[1].first, cut.moves[1].start, cut.moves[1].end) == (True, 4, 9)


@pytest.mark.parametrize("known", [True, False])
def test_requests_that_were_given_up_are_passed_over_and_the_cursor_goes_over_them(known):
    partition = inferences(requests=Requests(0, 100, gap(5, 7), gap(7, 8)) if known else Requests(0, 100, gap(0, 4)))
    if known:
        partition.traffic.scored(0, 0, 5)
        partition.take()
    partition.traffic.scored(0, 8 if known else 4, 12)
    partition.take()
    cut = partition.cut()
    assert (cut.moves[1].start, cut.moves[1].end) == (0, 12)
    assert cut.rows["request_offset"].to_pylist() == [*(range(5) if known else range(4, 8)), *range(8, 12)]


def test_a_gap_that_reaches_further_than_what_was_given_up_stays_loud():
    partition = inferences(requests=Requests(0, 100, gap(5, 7)))
    partition.traffic.scored(0, 0, 5)
    partition.traffic.scored(0, 8, 12)
    with pytest.raises(GapError, match="requests 5 to 7"):
        partition.take()


def test_rows_that_name_requests_without_a_range_are_rejected():
    partition = inferences()
    partition.traffic.scored(0, 0, 3)
    (good,) = partition.broker.records("s.inferences")
    partition.intake.take([good._replace(headers=())], partition.buffer, partition.lake.get)
    assert "no request range" in partition.cut().rejected[0][1]


def test_the_watermark_is_the_highest_time_less_the_lateness_and_a_promise_only_raises_it():
    partition = inferences(lateness=timedelta(seconds=10))
    partition.traffic.scored(0, 0, 101)
    assert not partition.take()
    assert partition.cut().watermark == event_time(90)
    partition.traffic.promise("s.inferences", 0, event_time(500))
    assert partition.take()
    partition.traffic.scored(0, 101, 111)
    partition.take()
    assert partition.cut().watermark == event_time(500)


def test_a_time_that_is_yet_to_come_does_not_carry_the_watermark_away():
    partition = labels(now=event_time(60))
    partition.traffic.label(0, 1, known=LATER)
    partition.take()
    assert partition.cut().watermark == event_time(60)


@pytest.mark.parametrize(("options", "believed"), [({}, None), ({"ahead": None}, event_time(10**5))], ids=["wall clock", "replay"])
def test_a_promise_that_an_earlier_predictor_passed_on_from_a_wrong_clock_is_not_believed(options, believed):
    partition = inferences(now=event_time(60), **options)
    partition.intake.take([Record("s.inferences", 0, 0, 0, None, b"", (watermark_header(event_time(10**5)),))], partition.buffer, {}.get)
    assert partition.cut().watermark == believed


def arrow_labels(**columns):
    n = len(next(iter(columns.values())))
    complete = {"event_id": ["a"] * n, "event_time": [START] * n, "label": [True] * n, "label_time": [START] * n} | columns
    schema = label_schema(SCHEMA)
    return encode_table(pa.table({k: pa.array(v, schema.field(k).type) for k, v in complete.items() if v is not None}))


def test_an_arrow_batch_of_labels_is_taken_whole_with_its_offset():
    partition = labels()
    partition.traffic.label(0, 0)
    partition.traffic.raw_label(0, arrow_labels(event_id=["x", "y"]), content_type=ARROW)
    partition.traffic.raw_label(0, arrow_labels(event_id=["z"], label_time=None), content_type=ARROW)
    partition.take()
    rows = partition.cut().rows
    assert rows["event_id"].to_pylist() == ["e0-0", "x", "y", "z"]
    assert rows["offset"].to_pylist() == [0, 1, 1, 2]
    assert rows["label_time"].null_count == 0


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (arrow_labels(event_id=["x", ""]), "empty"),
        (arrow_labels(event_id=["x", "y" * 513]), "'event_id' is 513 bytes long; at most 512"),
        (arrow_labels(event_id=["x", None]), "nulls"),
        (encode_table(pa.table({"event_id": ["x"]})), "missing columns"),
        (b"\xff\xff\xff\xff", "Arrow"),
        (b"", "Arrow"),
    ],
)
def test_an_arrow_batch_with_one_bad_row_is_rejected_whole(value, reason):
    partition = labels()
    partition.traffic.raw_label(0, value, content_type=ARROW)
    partition.take()
    cut = partition.cut()
    assert cut.rows is None
    assert reason in cut.rejected[0][1]
    assert cut.moves[0].quarantined == ((0, 1),)


def test_rejected_messages_weigh_what_they_hold_and_no_number_of_them_weighs_nothing():
    """Ingest makes durable what it holds once that comes to so many bytes, of rejected messages as of rows."""
    partition = labels()
    partition.broker.producer().send("s.labels", b"{}", key=b"k" * 2000, headers=(("h", b"v" * 3000),))
    partition.take()
    assert partition.buffer.bytes > 5000
    for _ in range(1000):
        partition.broker.producer().send("s.labels", None, key=b"k")
    partition.take()
    assert partition.buffer.bytes > 1000 * 1000
    partition.cut()
    assert partition.buffer.bytes == 0


def test_an_unreadable_watermark_is_rejected():
    for partition in (labels(), inferences()):
        record = Record(partition.topic, 0, 0, 0, None, None, (("driftloop-watermark", b"tomorrow"),))
        partition.intake.take([record], partition.buffer, partition.lake.get)
        assert "RFC 3339" in partition.cut().rejected[0][1]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", '"1"', "true", "null"])
def test_a_number_must_be_a_finite_number(number):
    schema = type(SCHEMA)(stream="s", features=SCHEMA.features, target=type(SCHEMA.target)(name="late", type="number"))
    intake, buffer = LabelIntake(schema, timedelta(0), FixedClock(LATER)), Buffer(TopicPartition("s.labels", 0), "t", 0, first=True)
    value = f'{{"event_id": "a", "event_time": "2024-01-01T00:00:00Z", "label": {number}}}'.encode()
    good = b'{"event_id": "b", "event_time": "2024-01-01T00:00:00Z", "label": 7}'
    intake.take([Record("s.labels", 0, n, 0, None, v, ()) for n, v in enumerate((value, good))], buffer, {}.get)
    cut = buffer.cut()
    assert cut.rows["label"].to_pylist() == [7.0]
    assert [record.offset for record, _ in cut.rejected] == [0]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_in_an_arrow_batch_of_labels_must_be_finite_too(number):
    schema = type(SCHEMA)(stream="s", features=SCHEMA.features, target=type(SCHEMA.target)(name="late", type="number"))
    intake, buffer = LabelIntake(schema, timedelta(0), FixedClock(LATER)), Buffer(TopicPartition("s.labels", 0), "t", 0, first=True)
    times = {"event_time": [START] * 2, "label_time": [START] * 2}
    rows = pa.table({"event_id": ["a", "b"], **times, "label": [7.0, number]}, schema=None).select(label_schema(schema).names)
    value = encode_table(rows.cast(label_schema(schema)))
    intake.take([Record("s.labels", 0, 0, 0, None, value, (("content-type", ARROW.encode()),))], buffer, {}.get)
    cut = buffer.cut()
    assert cut.rows is None
    assert "NaN or infinity" in cut.rejected[0][1]


def test_broken_utf8_in_an_unknown_field_is_rejected_too():
    partition = labels()
    partition.traffic.raw_label(0, b'{"event_id": "a", "event_time": "2024-01-01T00:00:00Z", "label": true, "x": "\xff"}')
    partition.take()
    assert "UTF-8" in partition.cut().rejected[0][1]


def test_a_message_from_outside_of_the_calendar_is_rejected():
    partition = labels()
    value = b'{"event_id": "a", "event_time": "2024-01-01T00:00:00Z", "label": true}'
    partition.intake.take([Record("s.labels", 0, 0, 10**18, None, value, ())], partition.buffer, partition.lake.get)
    assert "calendar" in partition.cut().rejected[0][1]


@pytest.mark.parametrize("column", ["event_time", "scored_at"])
def test_inferences_with_a_time_outside_of_the_calendar_are_rejected(column):
    partition = inferences()
    rows = inference_rows(SCHEMA, 0, 0, 2, http=True)
    at = rows.schema.get_field_index(column)
    odd = rows.set_column(at, rows.schema.field(at), pa.array([0, 2**62], pa.int64()).cast(rows.schema.field(at).type))
    partition.broker.producer().send("s.inferences", encode_table(odd))
    partition.take()
    assert "years 1 and 9999" in partition.cut().rejected[0][1]


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-10:00"])
def test_a_time_at_the_edge_of_the_calendar_is_rejected(time):
    partition = labels()
    partition.traffic.raw_label(0, f'{{"event_id": "a", "event_time": "{time}", "label": true}}'.encode())
    partition.take()
    cut = partition.cut()
    assert cut.rows is None
    assert len(cut.rejected) == 1


def with_a_feature_of_its_own():
    """Three requests, from a predictor that knows a feature more."""
    partition = inferences()
    rows = inference_rows(SCHEMA, 0, 0, 3).append_column("newer", pa.array([1.0, 2.0, 3.0]))
    partition.traffic.scored(0, 0, 3, value=encode_table(rows))
    return partition


def test_rows_of_a_newer_project_wait_for_it():
    partition = with_a_feature_of_its_own()

    def newer():
        raise TransientError("a newer archive")

    partition.intake = InferenceIntake(SCHEMA, timedelta(0), FixedClock(LATER), newer=newer)
    with pytest.raises(TransientError):
        partition.take()
    assert partition.cut() is None
    stored = pa.schema([*inference_schema(SCHEMA), pa.field("newer", pa.float64())])
    partition.intake = InferenceIntake(SCHEMA, timedelta(0), FixedClock(LATER), stored=stored)  # as after the restart
    partition.take()
    assert partition.cut().rows["newer"].to_pylist() == [1.0, 2.0, 3.0]


def test_rows_of_no_project_are_rejected():
    partition = with_a_feature_of_its_own()
    partition.take()
    [(_, reason)] = partition.cut().rejected
    assert "newer (double)" in reason


def test_a_label_is_not_dated_later_than_it_can_have_been_sent():
    """Or it would beat every later correction. What is a few minutes ahead is a clock; what is a year ahead is as of its sending."""
    partition = labels()
    sent = datetime(2024, 3, 5, tzinfo=UTC)
    ahead = (timedelta(days=-3), timedelta(minutes=4), timedelta(days=365), timedelta(days=365 * 7000))
    for n, each in enumerate(ahead):
        partition.traffic.label(0, n, known=sent + each)
    records = [r._replace(timestamp_ms=int(sent.timestamp() * 1000)) for r in partition.broker.records("s.labels")]
    partition.intake.take(records, partition.buffer, partition.lake.get)
    taken = partition.cut().rows["label_time"].to_pylist()
    assert taken == [sent - timedelta(days=3), sent + timedelta(minutes=4), sent + timedelta(minutes=5), sent + timedelta(minutes=5)]


def test_an_arrow_batch_of_labels_is_capped_by_its_own_record():
    partition = labels()
    sent = datetime(2024, 3, 5, tzinfo=UTC)
    rows = pa.table({"event_id": ["a", "b"], "event_time": [START] * 2, "label": [True] * 2, "label_time": [None, LATER]})
    body = encode_table(rows.cast(pa.schema([f.with_nullable(f.name == "label_time") for f in label_schema(SCHEMA)])))
    partition.traffic.raw_label(0, body, content_type=ARROW)
    (record,) = partition.broker.records("s.labels")
    partition.intake.take([record._replace(timestamp_ms=int(sent.timestamp() * 1000))], partition.buffer, partition.lake.get)
    assert partition.cut().rows["label_time"].to_pylist() == [sent, sent + timedelta(minutes=5)]
