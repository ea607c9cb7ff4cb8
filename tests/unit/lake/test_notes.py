"""What a commit writes down: only what it changed, and yet the state is known; notes of earlier releases are read as they are."""

import itertools
import json
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.traffic import event_time

from driftloop.contracts.gaps import AcceptedGap
from driftloop.lake.cursors import Cursor, Move, Span, TableState, Uncapped, app_id, moved, offsets_in, request_app_id, spans_of
from driftloop.lake.notes import METADATA_KEY, CommitNote, commit_time, decode_note, encode_note

AT = datetime(2026, 5, 1, 12, 30, 1, 500, tzinfo=UTC)


def move(partition, start, end, *, requests=False, quarantined=()):
    topic_id = "R" if requests else "T"
    return Move(
        cursor=(request_app_id if requests else app_id)(topic_id, partition),
        topic="s.requests" if requests else "s.inferences",
        topic_id=topic_id,
        partition=partition,
        start=start,
        end=end,
        first=start == 0,
        quarantined=quarantined,
    )


def note(version, moves, marks=None, **fields):
    return CommitNote(
        commit_id=f"c{version}",
        version=version,
        at=AT,
        rows=3,
        moves=tuple(moves),
        event_time_min=event_time(0),
        event_time_max=event_time(9),
        watermarks=marks or {},
        **fields,
    )


def stored(written):
    """Through the log: a line of JSON."""
    return decode_note(json.loads(json.dumps({"operation": "WRITE", METADATA_KEY: encode_note(written)})))


GAP = AcceptedGap(topic="s.requests", topic_id="R", partition=3, start=7, end=9, reason="the disk", by="Kim", at=AT)


def test_a_note_comes_back_as_it_was_written():
    rejected = {p: (Span(10 * p, 10 * p + 2),) if p else () for p in range(3)}
    moves = [move(p, 10 * p, 10 * p + 9, requests=r, quarantined=rejected[p]) for r in (False, True) for p in range(3)]
    before = TableState(gaps=(GAP,), uncapped=Uncapped(until=AT, ends={app_id("T", 0): 4}))
    state = moved(before, moves, {0: event_time(5)}, 4)
    whole = note(4, moves, {"0": event_time(5)}, gaps=(GAP,), state=state)
    for written in (note(4, moves), whole, note(5, [], uncapped=state.uncapped)):
        assert stored(written) == written


steps = st.lists(
    st.tuples(
        st.dictionaries(st.tuples(st.integers(0, 4), st.booleans()), st.integers(1, 9), max_size=5),  # how far each cursor moves
        st.dictionaries(st.integers(0, 4), st.integers(0, 100), max_size=3),  # what is promised
        st.booleans(),  # whether the whole state is written down
    ),
    max_size=20,
)


@settings(deadline=None)
@given(steps)
def test_the_state_is_the_fold_of_the_notes_whichever_of_them_hold_it_whole(steps):
    at, marks, folded = {}, {}, TableState()
    for version, (forward, promised, whole) in enumerate(steps, 1):
        moves = [move(p, at.get((p, r), 0), at.get((p, r), 0) + n, requests=r) for (p, r), n in forward.items()]
        at |= {(p, r): at.get((p, r), 0) + n for (p, r), n in forward.items()}
        marks |= {p: max(marks.get(p, n), n) for p, n in promised.items()}
        written = note(version, moves, {str(p): event_time(n) for p, n in promised.items()})
        written = msgspec.structs.replace(written, state=written.after(folded) if whole else None)
        folded = stored(written).after(folded)
    assert {(c.partition, c.topic_id == "R"): (c.start, c.end) for c in folded.cursors.values()} == {
        key: (0, end) for key, end in at.items()
    }
    assert {int(p): mark for p, mark in folded.watermarks.items()} == {p: event_time(n) for p, n in marks.items()}


def test_a_note_is_as_long_as_what_it_moves_and_not_as_the_table_has_partitions():
    few, many = (len(json.dumps(encode_note(note(9, [move(p, 10**9, 10**9 + 20) for p in range(n)])))) for n in (4, 500))
    assert few < 700
    assert (many - few) / 496 < 40, "bytes for each partition that is moved"


def test_a_rejected_message_that_accounts_for_any_number_of_requests_is_one_span():
    written = note(1, [move(0, 0, 2**40, requests=True, quarantined=(Span(0, 2**40),))])
    assert len(json.dumps(encode_note(written))) < 500
    assert stored(written).moves[0].quarantined == (Span(0, 2**40),)


@settings(deadline=None)
@given(st.sets(st.integers(0, 50)))
def test_spans_hold_exactly_their_offsets_and_never_touch(offsets):
    spans = spans_of(sorted(offsets))
    assert list(offsets_in(spans)) == sorted(offsets)
    assert all(a.end < b.start for a, b in itertools.pairwise(spans))


EARLIER = {
    "timestamp": 1795927985441,
    "operation": "WRITE",
    "driftloop": {
        "commit_id": "fd77d7af180145a7abbfc141239c7da3",
        "version": 2,
        "at": "2026-11-29T04:53:05.441503Z",
        "rows": 2,
        "moves": [
            {
                "topic": "golden.inferences",
                "topic_id": "T",
                "partition": 0,
                "start": 2,
                "end": 4,
                "cursor": "driftloop/T/0",
                "first": False,
                "quarantined": [2],
            },
            {
                "topic": "golden.requests",
                "topic_id": "R",
                "partition": 0,
                "start": 20,
                "end": 40,
                "cursor": "driftloop-requests/R/0",
                "first": False,
                "quarantined": [20, 21, 25],
            },
        ],
        "event_time_min": "2024-03-01T00:00:02Z",
        "event_time_max": "2024-03-01T00:00:03Z",
        "cursors": {
            "driftloop/T/0": {"topic": "golden.inferences", "topic_id": "T", "partition": 0, "start": 0, "end": 4, "version": 2},
            "driftloop-requests/R/0": {"topic": "golden.requests", "topic_id": "R", "partition": 0, "start": 0, "end": 40, "version": 2},
        },
        "watermarks": {"0": "2024-03-01T00:00:04Z"},
    },
}


def test_a_note_of_an_earlier_release_reads_as_one_that_holds_the_whole_state():
    found = decode_note(EARLIER)
    assert [(m.cursor, m.start, m.end, m.quarantined) for m in found.moves] == [
        ("driftloop/T/0", 2, 4, ((2, 3),)),
        ("driftloop-requests/R/0", 20, 40, ((20, 22), (25, 26))),
    ]
    assert found.after(TableState()) == TableState(
        cursors={
            "driftloop/T/0": Cursor(topic="golden.inferences", topic_id="T", partition=0, start=0, end=4, version=2),
            "driftloop-requests/R/0": Cursor(topic="golden.requests", topic_id="R", partition=0, start=0, end=40, version=2),
        },
        watermarks={"0": event_time(4)},
    )


def test_commits_of_others_carry_no_note():
    assert decode_note({"operation": "OPTIMIZE"}) is None
    assert decode_note({"driftloop": "somebody else's"}) is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 600), st.integers(-1800, 1800)), min_size=1, max_size=30))
def test_commits_of_writers_whose_clocks_differ_are_in_the_order_of_their_times(passed):
    """``passed``: seconds since the commit before, and by how much its writer's clock is wrong."""
    true, said = AT, [AT]
    for seconds, wrong in passed:
        true += timedelta(seconds=seconds)
        said.append(commit_time(true + timedelta(seconds=wrong), said[-1]))
        assert abs(said[-1] - true) <= timedelta(seconds=1800)
    assert said == sorted(said)


def test_a_clock_that_is_a_year_ahead_is_followed_by_nobody():
    assert commit_time(AT, AT + timedelta(days=365)) == AT
    assert commit_time(AT, None) == AT
