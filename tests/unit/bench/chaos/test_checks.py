"""Each check finds what it is there for."""

from datetime import UTC, datetime, timedelta

import pytest
from bench.chaos.book import UID, Sent, digest
from bench.chaos.checks import Check, arrivals, decided_once, dense_versions, differing, rejections, stored_events

from driftloop.ports import Record
from driftloop.service.quarantine import quarantine_headers

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def sent(uid: str, value: bytes = b"{}", *, bad: bool = False) -> Sent:
    return Sent(uid, "alpha", "requests", "row", () if bad else ("e1",), digest(value), "aiokafka", "none")


def record(uid: str, offset: int, value: bytes = b"{}") -> Record:
    return Record("alpha.requests", 0, offset, 0, None, value, ((UID, uid.encode()),))


def rejected(uid: str, value: bytes = b"{}", reason: str = "not JSON") -> Record:
    origin = record(uid, 5, value)
    return origin._replace(topic="alpha.quarantine", headers=quarantine_headers(origin, reason))


def test_acknowledged_messages_that_are_there_once_are_no_problem() -> None:
    found = arrivals([sent("a"), sent("b"), sent("unknown")], {"a", "b"}, [record("a", 0), record("b", 1)])
    assert found.problems == []
    assert set(found.by_uid) == {"a", "b"}


@pytest.mark.parametrize(
    ("records", "problem"),
    [
        ([], "message a (row) was acknowledged and is not in the topic"),
        ([record("a", 0), record("a", 1)], "message a is in the topic twice, also at alpha.requests/0/1"),
        ([record("a", 0), record("c", 1)], "message c at alpha.requests/0/1 was never sent"),
        ([record("a", 0, b"[]")], "message a at alpha.requests/0/0 has other bytes than were sent"),
    ],
)
def test_a_message_that_is_lost_doubled_invented_or_changed_is_found(records: list[Record], problem: str) -> None:
    assert arrivals([sent("a")], {"a"}, records).problems == [problem]


def test_an_unknown_message_may_be_there_once_and_not_twice() -> None:
    assert arrivals([sent("a")], set(), [record("a", 0)]).problems == []
    assert len(arrivals([sent("a")], set(), [record("a", 0), record("a", 1)]).problems) == 1


def test_bad_messages_belong_into_quarantine_with_their_bytes_and_nothing_else_does() -> None:
    good, bad = sent("good"), sent("bad", b"{", bad=True)
    both = {"good": good, "bad": bad}
    assert rejections(both, [rejected("bad", b"{"), rejected("bad", b"{")]) == []
    assert rejections(both, []) == ["message bad (row) is not in quarantine"]
    assert rejections(both, [rejected("bad", b"{"), rejected("good")]) == ["message good (row) is good and in quarantine: not JSON"]
    assert rejections(both, [rejected("bad", b"}")]) == ["message bad (row) is in quarantine with other bytes than were sent"]
    assert rejections({"bad": bad}, [rejected("bad", b"{"), rejected("x")]) == [
        "quarantine holds alpha.requests/0/5, which nobody sent: not JSON"
    ]


def test_certain_events_are_stored_possible_ones_may_be_and_no_others() -> None:
    assert stored_events({"a", "b"}, {"a"}, {"b", "c"}, "event") == []
    assert stored_events({"b", "d"}, {"a"}, {"b"}, "event") == ["event a is not in the lake", "event d is in the lake and was never sent"]


def test_a_window_has_one_decision_however_often_it_is_delivered() -> None:
    windows = [NOON, NOON + HOUR]
    once = [(NOON, "d1"), (NOON + HOUR, "d2"), (NOON, "d1")]
    assert decided_once(windows, windows, once) == []
    assert decided_once(windows, windows, once[:1]) == ["window 01 Mar 13:00 was never decided"]
    assert decided_once(windows, windows, [*once, (NOON, "d3")]) == ["window 01 Mar 12:00 was decided 2 times"]
    assert decided_once(windows, [*windows, NOON + 2 * HOUR], once) == ["window 01 Mar 14:00 was never decided"], "an empty one counts, too"
    assert decided_once([*windows, NOON + 2 * HOUR], windows, once) == ["window 01 Mar 14:00 was never closed"]
    assert decided_once(windows, windows, [*once, (NOON + 5 * HOUR, "d4")]) == ["window 01 Mar 17:00 was decided and not closed"]


def test_a_report_that_says_something_else_is_named() -> None:
    assert differing("window 1", {"rows": 3, "metric": 0.5}, {"rows": 3, "metric": 0.5 + 1e-12}) == []
    assert differing("window 1", {"rows": 3}, {"rows": 4}) == ["window 1: rows is 3, counted 4"]
    assert differing("window 1", {"metric": 0.5}, {"metric": None}) == ["window 1: metric is 0.5, counted None"]


def test_versions_count_from_one_and_a_request_has_one() -> None:
    assert dense_versions([(1, "r1"), (2, "r2")]) == []
    assert dense_versions([(1, "r1"), (3, "r2")]) == ["versions are [1, 3]"]
    assert dense_versions([(1, "r1"), (2, "r1")]) == ["request r1 has 2 versions"]


def test_a_check_that_fails_says_so_and_names_the_first_problems() -> None:
    assert str(Check("rows", "10 rows")) == "ok    rows: 10 rows"
    lines = str(Check("rows", "10 rows", tuple(f"row {n}" for n in range(7)))).splitlines()
    assert lines[0] == "FAIL  rows: 10 rows"
    assert lines[-1].strip() == "and 2 more"
