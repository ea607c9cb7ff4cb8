"""Which messages a challenger is asked about, and that each of their rows is answered for once."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.traffic import inference_rows, small_schema

from driftloop.adapters.memory import FixedClock
from driftloop.artifact.scoring import Scored, ScoredRows
from driftloop.artifact.unscorable import Unscored
from driftloop.contracts.headers import ARROW, CONTENT_TYPE, RequestRange, range_header
from driftloop.errors import InvalidMessage, TransientError
from driftloop.ports import Record, TopicPartition
from driftloop.rows.arrow_stream import encode_table
from driftloop_ingest.buffer import Buffer
from driftloop_ingest.shadow.challengers import Challenger
from driftloop_ingest.shadow.intake import ShadowIntake, shadow_columns
from driftloop_ingest.shadow.progress import Account

SCHEMA = small_schema("s")
NOW = datetime(2030, 1, 1, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
TP = TopicPartition("s.inferences", 0)


class Halves:
    """Answers 0.5 for each row but those without a kind, which it cannot score."""

    def score_rows(self, rows):
        missing = [i for i, kind in enumerate(rows.column("kind").to_pylist()) if kind is None]
        scores = [None if i in missing else 0.5 for i in range(rows.num_rows)]
        answer = Scored(pa.array([None if s is None else True for s in scores], pa.bool_()), pa.array(scores, pa.float64()), None)
        return ScoredRows(answer, {i: Unscored("refused", "no kind") for i in missing})


class Shadow:
    """An intake, and the table that its cuts go to."""

    def __init__(self, *, since_ms=0, challenger=True, known_end=10**9):
        self.challenger = Challenger(2, 7, since_ms, Halves()) if challenger else None
        self.account, self.known_end = Account(lambda: NOW_MS / 1000), known_end
        self.intake = ShadowIntake(SCHEMA, self, FixedClock(NOW), self.account, requests=self, max_lag=timedelta(minutes=10))
        self.buffer, self.lake, self.rows = Buffer(TP, "topic-id", 0, first=True), {}, []

    def now(self):
        return self.challenger

    def check_end(self, claimed):
        if claimed.end > self.known_end:
            raise InvalidMessage("there are no such requests")

    def take(self, *records):
        for record in records:
            self.intake.take([record], self.buffer, self.lake.get)

    def cut(self):
        cut = self.buffer.cut()
        if cut is None:
            return
        for move in cut.moves:
            assert self.lake.get(move.cursor) == move.expected, "or the commit would be fenced"
            self.lake[move.cursor] = move.end
        if cut.rows is not None:
            self.rows.append(cut.rows)

    def offsets(self):
        self.cut()
        return [n for rows in self.rows for n in rows.column("request_offset").to_pylist()]


def scored(offset, start, end, *, age=timedelta(0), http=False, value=None):
    headers = ((CONTENT_TYPE, ARROW.encode()),)
    if not http:
        headers += (range_header(RequestRange(topic_id="requests-id", partition=0, start=start, end=end)),)
    rows = encode_table(inference_rows(SCHEMA, 0, start, end, http=http)) if value is None else value
    return Record("s.inferences", 0, offset, NOW_MS - age // timedelta(milliseconds=1), None, rows, headers)


def test_rows_have_both_answers_and_those_that_it_cannot_score_have_nulls():
    shadow = Shadow()
    shadow.take(scored(0, 0, 6), scored(1, 6, 8, http=True))
    shadow.cut()
    rows = pa.concat_tables(shadow.rows)
    assert rows.select(shadow_columns(SCHEMA).names).schema.equals(shadow_columns(SCHEMA))
    assert rows.column("score").to_pylist() == [None, 0.5, 0.5, 0.5, 0.5, None, 0.5, 0.5]
    assert rows.column("request_offset").to_pylist() == [0, 1, 2, 3, 4, 5, None, None]
    assert set(zip(*(rows.column(name).to_pylist() for name in ("model_version", "challenger_epoch")), strict=True)) == {(2, 7)}
    progress = shadow.account.progress()
    assert (progress.rows, progress.unscored, progress.passed_over) == (8, 2, {})


@pytest.mark.parametrize(
    ("record", "options", "why"),
    [
        (scored(0, 0, 5), {"challenger": False}, "no-challenger"),
        (scored(0, 0, 5, age=timedelta(seconds=2)), {"since_ms": NOW_MS - 1000}, "before"),
        (scored(0, 0, 5, age=timedelta(minutes=11)), {}, "too-old"),
        (scored(0, 0, 5, value=b"no arrow"), {}, "unreadable"),
        (scored(0, 0, 5), {"known_end": 4}, "unreadable"),
    ],
)
def test_a_message_that_it_is_not_asked_about_is_passed_over_and_counted(record, options, why):
    shadow = Shadow(**options)
    shadow.take(record)
    assert shadow.offsets() == []
    assert shadow.account.progress().passed_over == {why: 1}
    assert shadow.buffer.next == 1


def test_a_message_as_old_as_may_be_is_answered_for():
    shadow = Shadow(since_ms=NOW_MS - 1000)
    shadow.take(scored(0, 0, 5, age=timedelta(seconds=1)))
    assert shadow.offsets() == list(range(5))


def test_a_store_that_is_away_takes_nothing_of_the_record():
    shadow = Shadow()

    def away():
        raise TransientError("the store is away")

    shadow.now = away
    with pytest.raises(TransientError):
        shadow.take(scored(0, 0, 5))
    assert shadow.buffer.next == 0
    shadow.now = lambda: shadow.challenger
    shadow.take(scored(0, 0, 5))
    assert shadow.offsets() == list(range(5))


def test_what_nobody_foresaw_leaves_the_message_out():
    shadow = Shadow()
    shadow.intake.reject(scored(0, 0, 5), "ValueError: no", shadow.buffer, shadow.lake.get)
    assert shadow.account.progress().passed_over == {"failed": 1}
    assert "ValueError: no" in shadow.account.progress().last_error


steps = st.lists(st.tuples(st.integers(0, 4), st.integers(1, 6), st.sampled_from(["taken", "passed over"]), st.booleans()), max_size=25)


@settings(max_examples=60)
@given(steps)
def test_whatever_overlaps_and_gaps_arrive_and_whenever_it_is_cut_no_request_is_answered_for_twice(steps):
    shadow, end, expected = Shadow(), 0, set()
    for offset, (back, length, what, cut) in enumerate(steps):
        start = max(0, end - back) if offset % 3 else end + back % 2  # a predictor that came back, or a message that was lost
        stop = start + length
        shadow.take(scored(offset, start, stop, age=timedelta(0) if what == "taken" else timedelta(hours=1)))
        if what == "taken":
            expected |= set(range(max(start, max(expected, default=-1) + 1), stop))
        end = max(end, stop)
        if cut:
            shadow.cut()
    found = shadow.offsets()
    assert sorted(found) == sorted(set(found))
    assert set(found) == expected


def test_lag_is_the_age_of_the_oldest_message_in_hand_and_nothing_at_the_end():
    account = Account(lambda: 1000.0)
    assert account.progress().lag_seconds == 0
    account.began(TP, 990_000)
    account.began(TopicPartition("s.inferences", 1), 940_000)
    assert account.progress().lag_seconds == 60
    account.at_end(frozenset({TopicPartition("s.inferences", 1)}))
    assert account.progress().lag_seconds == 10
    account.at_end(frozenset({TP}))
    assert account.progress().lag_seconds == 0
