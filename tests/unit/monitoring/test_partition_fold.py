"""One partition's fold: exact whatever is repeated, split or restarted; late rows correct; gaps stop it."""

from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from tests.unit.monitoring.traffic import (
    HOUR,
    REQUESTS,
    REQUESTS_ID,
    START,
    in_batch,
    make_profile,
    make_project,
    make_rows,
    message,
    together,
    window,
)

from driftloop.contracts.headers import RequestRange, range_header, watermark_header
from driftloop.contracts.values import Window
from driftloop.errors import GapError, InvalidMessage
from driftloop.monitoring.partition_fold import KEPT_CLOSED_WINDOWS, MAX_WINDOWS, PartitionFold, ProfileNeeded
from driftloop.monitoring.partition_state import STATE_KEY, PartitionState, decode_state, stored_offset
from driftloop.ports import TopicEnds
from driftloop.statistics.histograms import Counter

PROJECT = make_project()
PROFILES = {1: make_profile(PROJECT, 1), 2: make_profile(PROJECT, 2)}
COUNTERS = {version: (f"{version}" * 64, Counter(profile)) for version, profile in PROFILES.items()}


def new_fold(state: PartitionState | None = None, requests: TopicEnds = REQUESTS) -> PartitionFold:
    return PartitionFold(PROJECT, 0, 1, COUNTERS.__getitem__, state or PartitionState(topic_id="t"), requests)


def at(hours: float) -> datetime:
    return START + hours * HOUR


def test_after_messages_that_were_given_up_the_next_range_is_taken_as_it_comes():
    state = PartitionState(topic_id="t", next_offset=1, requests={REQUESTS_ID: 1})
    fold = new_fold(state)
    fold.go_on_from(1)
    with pytest.raises(GapError, match="not accounted for"):
        fold.add(1, *message(make_rows(PROJECT, [at(0.1)], first_request=5), 5))
    fold.go_on_from(3)
    fold.add(3, *message(make_rows(PROJECT, [at(0.1)], first_request=5), 5))
    with pytest.raises(GapError, match="not accounted for"):
        fold.add(4, *message(make_rows(PROJECT, [at(0.1)], first_request=8), 8))
    assert (fold.next_offset, state.requests) == (4, {REQUESTS_ID: 6})


def test_a_window_closes_when_the_watermark_reaches_its_end():
    fold = new_fold()
    fold.add(0, *message(make_rows(PROJECT, [at(0.1), at(0.9)]), 0))
    assert fold.drain() == []
    fold.add(1, *message(make_rows(PROJECT, []), 2, 2, watermark=at(1)))
    [sketch] = fold.drain()
    assert (sketch.window, sketch.rows, sketch.closing_offset) == (window(0), 2, 2)


def test_a_row_of_a_later_window_closes_the_earlier_one():
    fold = new_fold()
    fold.add(0, *message(make_rows(PROJECT, [at(0.1), at(1.5)]), 0))
    assert [s.window for s in fold.drain()] == [window(0)]


def test_windows_without_rows_are_sent_too():
    fold = new_fold()
    fold.add(0, *message(make_rows(PROJECT, [at(0.1)]), 0))
    fold.add(1, *message(make_rows(PROJECT, []), 1, 1, watermark=at(3)))
    assert [(s.window, s.rows) for s in fold.drain()] == [(window(0), 1), (window(1), 0), (window(2), 0)]


def test_a_row_from_far_in_the_future_closes_nothing():
    fold = new_fold()
    fold.add(0, *message(make_rows(PROJECT, [at(0.1), datetime(9999, 1, 1, tzinfo=UTC)]), 0))
    assert fold.drain() == []
    fold.add(1, *message(make_rows(PROJECT, [at(1.1)]), 2))
    assert [s.window for s in fold.drain()] == [window(0)]


def test_late_rows_of_a_kept_window_give_a_correction():
    fold = new_fold()
    fold.add(0, *message(make_rows(PROJECT, [at(0.1), at(1.1)]), 0))
    fold.drain()
    fold.add(1, *message(make_rows(PROJECT, [at(0.2), at(0.3)]), 2))
    [correction] = fold.drain()
    assert (correction.window, correction.rows, correction.late_rows, correction.closing_offset) == (window(0), 3, 2, 2)
    assert fold.drain() == []


def test_rows_of_a_window_that_is_no_longer_kept_are_counted_as_too_late():
    fold = new_fold()
    fold.add(0, *message(make_rows(PROJECT, [at(0.1), at(KEPT_CLOSED_WINDOWS + 1.5)]), 0))
    fold.drain()
    fold.add(1, *message(make_rows(PROJECT, [at(0.2)]), 2))
    assert fold.drain() == []
    assert fold.state().too_late_rows == 1


def test_unscored_rows_count_as_rows_only():
    fold = new_fold()
    fold.add(0, *message(make_rows(PROJECT, [at(0.1)], version=None), 0))
    fold.add(1, *message(make_rows(PROJECT, [at(0.2)], first_request=1), 1, watermark=at(1)))
    [sketch] = fold.drain()
    assert sketch.rows == 2
    assert [(p.version, p.rows) for p in sketch.sketches] == [(1, 1)]


def test_a_message_read_again_changes_nothing():
    fold, rows = new_fold(), make_rows(PROJECT, [at(0.1)])
    fold.add(0, *message(rows, 0))
    before = fold.state().encode()
    assert fold.add(0, *message(rows, 0)) == 0
    assert fold.state().encode() == before


def test_requests_accounted_for_twice_are_trimmed():
    fold = new_fold()
    fold.add(0, *message(make_rows(PROJECT, [at(0.1)] * 3), 0))
    fold.add(1, *message(make_rows(PROJECT, [at(0.2)] * 3, first_request=1), 1))  # 1 and 2 came before
    fold.add(2, *message(make_rows(PROJECT, [at(0.3)] * 2, first_request=0), 0, watermark=at(1)))  # all came before
    [sketch] = fold.drain()
    assert sketch.rows == 4
    assert fold.state().requests == {REQUESTS_ID: 4}


def test_requests_that_nobody_accounted_for_stop_the_fold():
    fold = new_fold()
    fold.add(0, *message(make_rows(PROJECT, [at(0.1)]), 0))
    before = fold.state().encode()
    with pytest.raises(GapError, match=r"requests \[1, 5\)"):
        fold.add(1, *message(make_rows(PROJECT, [at(0.1)], first_request=5), 5))
    assert fold.state().encode() == before


def test_a_skipped_message_stops_the_fold():
    with pytest.raises(GapError, match="message 3 came where 0 was due"):
        new_fold().add(3, *message(make_rows(PROJECT, []), 0, watermark=at(1)))


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (None, ()),
        (b"nonsense", ()),
        (b"nonsense", (range_header(RequestRange(topic_id=REQUESTS_ID, partition=0, start=0, end=4)),)),
        (b"", (("driftloop-watermark", b"yesterday"),)),
        (b"", (range_header(RequestRange(topic_id=REQUESTS_ID, partition=0, start=4, end=0)),)),
    ],
)
def test_an_unreadable_message_is_passed_over_and_its_requests_count_as_done(value, headers):
    fold = new_fold()
    with pytest.raises(InvalidMessage):
        fold.add(0, value, headers)
    fold.skip(0, headers)
    start = fold.state().requests.get(REQUESTS_ID, 0)
    assert fold.add(1, *message(make_rows(PROJECT, [at(0.1)], first_request=start), start)) == 1


@pytest.mark.parametrize("quarantined", [(9,), tuple(range(100_001))])
def test_a_rejected_message_accounts_for_the_same_requests_as_in_ingest_whatever_is_wrong_with_its_range(quarantined):
    """Ingest goes on behind them, so the monitor has to."""
    headers = (range_header(RequestRange(topic_id=REQUESTS_ID, partition=0, start=1, end=3, quarantined=quarantined)),)
    fold = new_fold()
    fold.add(0, *message(make_rows(PROJECT, [at(0.1)]), 0))
    with pytest.raises(InvalidMessage, match="quarantined requests"):
        fold.add(1, b"", headers)
    fold.skip(1, headers)
    assert fold.add(2, *message(make_rows(PROJECT, [at(0.2)], first_request=3), 3)) == 1


def test_an_unreadable_message_about_requests_of_before_takes_none_back():
    fold = new_fold()
    fold.add(0, *message(make_rows(PROJECT, [at(0.1)] * 5), 0))
    fold.skip(1, (range_header(RequestRange(topic_id=REQUESTS_ID, partition=0, start=0, end=2)),))
    assert (fold.next_offset, fold.state().requests) == (2, {REQUESTS_ID: 5})


def test_an_unreadable_message_behind_a_gap_stops_the_fold_as_it_was():
    fold = new_fold()
    fold.add(0, *message(make_rows(PROJECT, [at(0.1)]), 0))
    with pytest.raises(GapError, match=r"requests \[1, 3\)"):
        fold.skip(1, (range_header(RequestRange(topic_id=REQUESTS_ID, partition=0, start=3, end=4)),))
    assert (fold.next_offset, fold.state().requests) == (1, {REQUESTS_ID: 1})


def test_a_watermark_never_goes_back():
    fold = new_fold()
    for offset, mark in enumerate((at(2), at(1))):
        fold.add(offset, *message(make_rows(PROJECT, []), 0, 0, watermark=mark))
    assert fold.state().watermark == at(2)


def test_counts_of_windows_that_the_project_no_longer_has_are_not_taken_up():
    fold = new_fold()
    fold.add(0, *message(make_rows(PROJECT, [at(0.1)]), 0))
    state = fold.state()
    state.windows = [msgspec.structs.replace(held, window=Window(start=START, end=at(0.5))) for held in state.windows]
    assert new_fold(state).state().windows == []


def test_a_missing_profile_leaves_the_state_as_it_was():
    def not_loaded(version: int) -> tuple[str, Counter]:
        raise ProfileNeeded(version)

    fold = PartitionFold(PROJECT, 0, 1, not_loaded, PartitionState(topic_id="t"), REQUESTS)
    before = fold.state().encode()
    with pytest.raises(ProfileNeeded):
        fold.add(0, *message(make_rows(PROJECT, [at(0.1)]), 0))
    assert fold.state().encode() == before
    assert fold.next_offset == 0


def test_a_watermark_without_a_value_is_a_message():
    fold = new_fold()
    fold.add(0, None, (watermark_header(at(1)),))
    assert [s.rows for s in fold.drain()] == [0]


rows_of_a_message = st.lists(st.tuples(st.floats(0, 3.5), st.sampled_from([1, 2, None])), max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    messages=st.lists(rows_of_a_message, max_size=8),
    restarts=st.sets(st.integers(0, 8)),
    repeats=st.sets(st.integers(0, 8)),
    seed=st.integers(0, 5),
)
def test_the_sketches_are_the_batch_computation_for_any_restarts_and_repeats(messages, restarts, repeats, seed):
    fold, sketches, sent, offset, request = new_fold(), [], [], 0, 0
    for i, chosen in enumerate(messages):
        parts = [make_rows(PROJECT, [at(h)], version=v, seed=seed + j, first_request=request + j) for j, (h, v) in enumerate(chosen)]
        rows = pa.concat_tables(parts) if parts else make_rows(PROJECT, [])
        value, headers = message(rows, request)
        request += rows.num_rows
        sent.append(rows)
        for _ in range(2 if i in repeats else 1):  # a paused twin sends its range again, at a new offset
            fold.add(offset, value, headers)
            offset += 1
        if i in restarts:
            sketches += fold.drain()
            fold = new_fold(decode_state(fold.state().encode()))
    fold.add(offset, None, (watermark_header(at(10)),))
    sketches += fold.drain()
    if fold.state().too_late_rows or not sent:
        return
    expected = {s: {v: part for v, part in by.items() if v is not None} for s, by in in_batch(pa.concat_tables(sent), PROFILES).items()}
    assert together(sketches) == {start: by for start, by in expected.items() if by}


def test_a_closing_sketch_shows_the_counts_at_its_closing_offset_even_if_late_rows_follow_before_the_flush():
    fold = new_fold()
    fold.add(0, *message(make_rows(PROJECT, [at(0.1), at(1.1)]), 0))
    fold.add(1, *message(make_rows(PROJECT, [at(0.2)], first_request=2), 2))
    closing, correction = fold.drain()
    assert (closing.rows, closing.closing_offset) == (1, 1)
    assert (correction.rows, correction.closing_offset) == (2, 2)
    assert sum(np.array(closing.sketches[0].counts["amount"])) == 1


def test_lateness_holds_windows_open():
    patient = msgspec.structs.replace(PROJECT, allowed_lateness=timedelta(minutes=30))
    lenient = PartitionFold(patient, 0, 1, COUNTERS.__getitem__, PartitionState(topic_id="t"), REQUESTS)
    lenient.add(0, *message(make_rows(PROJECT, [at(0.1), at(1.2)]), 0))
    assert lenient.drain() == []
    lenient.add(1, *message(make_rows(PROJECT, [at(0.5), at(1.5)], first_request=2), 2))
    [sketch] = lenient.drain()
    assert (sketch.rows, sketch.late_rows) == (2, 0)


def test_messages_of_predictors_with_other_schemas_are_counted_by_the_profile_of_their_version():
    rows = make_rows(PROJECT, [at(0.1)] * 50)
    newer = rows.append_column("extra", pa.array(["x"] * 50)).append_column("strange", pa.array([b"x"] * 50))
    older = make_rows(PROJECT, [at(0.2)] * 20, version=None).drop_columns(["country"])
    fold, plain = new_fold(), new_fold()
    fold.add(0, *message(newer.drop_columns(["strange"]), 0))
    plain.add(0, *message(rows, 0))
    assert fold.add(1, *message(older, 50)) == 20
    with pytest.raises(InvalidMessage, match="strange"):
        fold.add(2, *message(newer, 70))
    for each, requests in ((fold, 70), (plain, 50)):
        each.add(each.next_offset, *message(make_rows(PROJECT, []), requests, requests, watermark=at(1)))
    [counted], [expected] = fold.drain(), plain.drain()
    assert counted.rows == 70
    assert counted.sketches == expected.sketches


def test_strays_of_wrong_clocks_give_way_to_windows_that_are_nearer():
    fold, request = new_fold(), 0
    for i in range(MAX_WINDOWS):  # one row in each of as many windows of ten years on
        rows = make_rows(PROJECT, [START + timedelta(days=3650, hours=i)], first_request=request)
        fold.add(fold.next_offset, *message(rows, request))
        request += 1
    for hour in range(50):
        rows = make_rows(PROJECT, [at(hour + k / 100) for k in range(100)], first_request=request)
        fold.add(fold.next_offset, *message(rows, request))
        request += 100
    sketches = fold.drain()
    assert sum(s.rows for s in sketches) == 49 * 100
    strays_left = sum(w.rows for w in fold.state().windows if w.window.start.year > 2030)
    assert fold.uncounted_rows == (0, MAX_WINDOWS - strays_left)
    assert len(fold.state().windows) <= MAX_WINDOWS


def test_a_row_farther_than_all_windows_that_are_kept_opens_none():
    fold = new_fold()
    for i in range(MAX_WINDOWS):
        fold.add(i, *message(make_rows(PROJECT, [at(i + 0.5)], scored_at=[START]), i))
    fold.add(MAX_WINDOWS, *message(make_rows(PROJECT, [at(9999)] * 7, first_request=MAX_WINDOWS), MAX_WINDOWS))
    assert fold.uncounted_rows[1] == 7


def test_a_watermark_that_lies_beyond_the_time_at_which_it_was_written_closes_nothing_for_ever():
    fold, written = new_fold(), at(2)
    fold.add(0, *message(make_rows(PROJECT, [at(0.1), at(1.1)]), 0), written)
    fold.drain()
    fold.add(1, *message(make_rows(PROJECT, []), 2, 2, watermark=datetime(9999, 12, 1, tzinfo=UTC)), written)
    assert fold.drain() == []
    fold.add(2, *message(make_rows(PROJECT, [at(2.1)] * 100, first_request=2), 2), written)
    assert [s.window for s in fold.drain()] == [window(1)]
    assert fold.uncounted_rows == (0, 0)


def test_a_predictor_whose_clock_is_ahead_as_its_rows_are_closes_nothing_for_ever():
    fold, written = new_fold(), at(2)
    fold.add(0, *message(make_rows(PROJECT, [at(0.1), at(1.1)], scored_at=[at(2), at(2)]), 0), written)
    fold.drain()
    ahead = make_rows(PROJECT, [at(9999), at(2.05)], scored_at=[at(9999), at(9999)], first_request=2)
    fold.add(1, *message(ahead, 2), written)  # rows by HTTP have that clock's time unless the caller says another
    assert [s.window for s in fold.drain()] == [window(1)]
    fold.add(2, *message(make_rows(PROJECT, [at(2.1)] * 100, scored_at=[at(2)] * 100, first_request=4), 4), written)
    assert fold.uncounted_rows == (0, 0)
    assert fold.closed_up_to == window(1).end


def test_with_a_replay_clock_such_a_watermark_is_believed():
    project = msgspec.structs.replace(PROJECT, clock="replay")
    fold = PartitionFold(project, 0, 1, COUNTERS.__getitem__, PartitionState(topic_id="t"), REQUESTS)
    fold.add(0, *message(make_rows(PROJECT, [at(0.1)]), 0), at(0))
    fold.add(1, *message(make_rows(PROJECT, []), 1, 1, watermark=at(5)), at(0))
    assert len(fold.drain()) == 5


def test_on_a_topic_made_anew_the_fold_goes_on_at_its_beginning_and_counts_no_request_twice():
    fold = new_fold()
    fold.add(0, *message(make_rows(PROJECT, [at(0.1)] * 30), 0))
    state = decode_state(fold.state().encode())
    assert stored_offset({STATE_KEY: state.encode()}, "t") == 1
    assert stored_offset({STATE_KEY: state.encode()}, "new") is None
    assert state.on_topic("t", 0) is state
    anew = new_fold(state.on_topic("new", 0))
    anew.add(0, *message(make_rows(PROJECT, [at(0.1)] * 50), 0))  # the predictor accounts for all requests again
    anew.add(1, *message(make_rows(PROJECT, []), 50, 50, watermark=at(1)))
    [counted] = anew.drain()
    assert (counted.rows, counted.closing_offset, counted.topic_id) == (50, 2, "new")
