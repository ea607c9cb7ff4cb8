"""Conservation: the checker finds what is missing, twice there, or there without having been sent."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import pyarrow as pa
import pytest

from driftloop.contracts.gaps import AcceptedGap
from driftloop.contracts.headers import ARROW, CONTENT_TYPE, JSON, Headers, watermark_header
from driftloop.contracts.redrives import Redrive, redrive_header
from driftloop.demo.conservation import Conservation, conservation
from driftloop.ports import Record
from driftloop.rows.arrow_stream import encode_table
from driftloop.service.quarantine import quarantine_headers

JSON_ROW: Headers = ((CONTENT_TYPE, JSON.encode()),)
Row = tuple[int, int, str]  # partition, offset, event id


def message(topic: str, partition: int, offset: int, value: bytes | None, headers: Headers = JSON_ROW) -> Record:
    return Record(topic, partition, offset, 0, None, value, headers)


def json_rows(topic: str, rows: Sequence[Row]) -> list[Record]:
    return [message(topic, partition, offset, msgspec.json.encode({"event_id": i, "dow": 3})) for partition, offset, i in rows]


REQUESTS: list[Row] = [(0, 0, "a"), (0, 1, "b"), (1, 0, "c"), (1, 2, "d")]
LABELS: list[Row] = [(0, 0, "a"), (2, 0, "b"), (2, 1, "c")]


def table(rows: Sequence[tuple[int, int | None, str]], offset: str) -> pa.Table:
    columns = list(zip(*rows, strict=True))
    return pa.table(
        {"partition": pa.array(columns[0], pa.int32()), offset: pa.array(columns[1], pa.int64()), "event_id": pa.array(columns[2])}
    )


def check(
    *,
    requests: Sequence[Record] | None = None,
    in_lake: Sequence[tuple[int, int | None, str]] = REQUESTS,
    labels_in_lake: Sequence[Row] = LABELS,
    quarantine: Sequence[Record] = (),
    acknowledged: tuple[int, int] | None = None,
    gaps: Sequence[AcceptedGap] = (),
) -> Conservation:
    sent = json_rows("s.requests", REQUESTS) if requests is None else requests
    return conservation(
        "s",
        requests=sent,
        labels=json_rows("s.labels", LABELS),
        quarantine=quarantine,
        inferences_table=table(in_lake, "request_offset"),
        labels_table=table(labels_in_lake, "offset"),
        acknowledged=acknowledged or (len(sent), len(LABELS)),
        gaps=gaps,
    )


def test_every_row_once_in_the_lake_is_conserved() -> None:
    found = check()

    assert found.ok
    assert (found.sent, found.lake, found.quarantined) == (7, 7, 0)


def test_a_dropped_row_is_named() -> None:
    found = check(in_lake=[row for row in REQUESTS if row[2] != "c"])

    assert not found.ok
    assert str(found.violations[0]) == "s.requests: 1 missing (1/0 c)"


def test_a_label_that_is_twice_in_the_lake_is_named() -> None:
    found = check(labels_in_lake=[*LABELS, (2, 1, "c")])

    assert not found.ok
    assert str(found.violations[0]) == "s.labels: 1 duplicated (2/1 c)"


def test_a_row_that_was_lost_is_not_made_up_for_by_one_that_is_there_twice() -> None:
    found = check(in_lake=[REQUESTS[0], REQUESTS[0], *REQUESTS[2:]])

    assert found.sent == found.lake
    assert not found.ok
    assert {v.kind for v in found.violations} == {"missing", "duplicated"}


def test_a_row_that_nobody_sent_is_named() -> None:
    found = check(in_lake=[*REQUESTS, (3, 9, "z")])

    assert [str(v) for v in found.violations] == ["s.requests: 1 never sent (3/9 z)"]


def test_an_event_under_another_ones_offset_is_noticed() -> None:
    found = check(in_lake=[(0, 0, "b"), (0, 1, "a"), *REQUESTS[2:]])

    assert not found.ok


def test_a_quarantined_message_counts_once_however_often_it_was_rejected() -> None:
    bad = message("s.requests", 1, 3, b"{broken")
    rejected = bad._replace(headers=quarantine_headers(bad, "broken JSON"), topic="s.quarantine")
    found = check(requests=[*json_rows("s.requests", REQUESTS), bad], quarantine=[rejected, rejected._replace(offset=1)])

    assert found.ok
    assert (found.sent, found.lake, found.quarantined) == (8, 7, 1)


def test_a_message_that_is_neither_in_the_lake_nor_in_quarantine_is_missing() -> None:
    found = check(requests=[*json_rows("s.requests", REQUESTS), message("s.requests", 1, 3, b"{broken")])

    assert [(v.kind, v.examples) for v in found.violations] == [("missing", ("1/3 ",))]


def test_a_row_in_the_lake_and_in_quarantine_is_there_twice() -> None:
    taken = json_rows("s.requests", REQUESTS)
    rejected = taken[0]._replace(headers=quarantine_headers(taken[0], "wrong"), topic="s.quarantine")
    found = check(quarantine=[rejected])

    assert [v.kind for v in found.violations] == ["in lake and quarantine"]


def test_watermarks_are_no_rows_and_neither_are_rows_by_http() -> None:
    mark = message("s.requests", 1, 3, None, (watermark_header(datetime(2013, 1, 1, tzinfo=UTC)),))
    found = check(requests=[*json_rows("s.requests", REQUESTS), mark], in_lake=[*REQUESTS, (0, None, "h")], acknowledged=(4, 3))

    assert found.ok
    assert found.sent == 7


@pytest.mark.parametrize(("stored", "ok"), [(("a", "b"), True), (("a",), False)])
def test_each_row_of_an_arrow_message_is_accounted_for(stored: tuple[str, ...], ok: bool) -> None:
    value = encode_table(pa.table({"event_id": ["a", "b"]}))
    batch = message("s.requests", 0, 0, value, ((CONTENT_TYPE, ARROW.encode()),))
    found = check(requests=[batch], in_lake=[(0, 0, i) for i in stored], acknowledged=(2, 3))

    assert found.ok is ok


def test_rows_that_the_broker_acknowledged_and_lost_are_a_violation() -> None:
    found = check(acknowledged=(6, 3))

    assert str(found.violations[0]) == "s.requests: 2 not in topic"


def gap(topic: str, partition: int, start: int, end: int) -> AcceptedGap:
    at = datetime(2026, 5, 1, tzinfo=UTC)
    return AcceptedGap(topic=topic, topic_id="t", partition=partition, start=start, end=end, reason="the disk", by="Kim", at=at)


def test_rows_that_were_given_up_are_missing_on_record_and_no_violation() -> None:
    found = check(in_lake=[row for row in REQUESTS if row != (1, 2, "d")], gaps=[gap("s.requests", 1, 2, 3)])
    assert found.ok
    assert (found.sent, found.lake, found.missing) == (len(REQUESTS) + len(LABELS), len(REQUESTS) + len(LABELS) - 1, 1)


def test_rows_beside_what_was_given_up_are_missed() -> None:
    found = check(in_lake=REQUESTS[:2], gaps=[gap("s.requests", 1, 2, 3), gap("s.requests", 0, 0, 9), gap("s.labels", 1, 0, 1)])
    assert [(v.kind, v.rows, v.examples) for v in found.violations] == [("missing", 1, ("1/0 c",))]


def test_messages_that_expired_are_counted_by_the_record_of_their_gap() -> None:
    """They are in no topic any more: of four requests that were acknowledged two more have gone."""
    gone = gap("s.requests", 2, 0, 2)
    assert check(acknowledged=(len(REQUESTS) + 2, len(LABELS)), gaps=[gone]).ok
    found = check(acknowledged=(len(REQUESTS) + 3, len(LABELS)), gaps=[gone])
    assert [(v.kind, v.rows) for v in found.violations] == [("not in topic", 1)]


def again(topic: str, partition: int, offset: int, row: Row, of: tuple[int, int]) -> Record:
    """A message that was sent again, of the one that was rejected at ``of``."""
    said = Redrive(
        id="r", quarantined="0:0", topic=topic, partition=of[0], offset=of[1], run="run", by="ada", why="mended", change="as it was"
    )
    return message(topic, partition, offset, msgspec.json.encode({"event_id": row[2]}), (*JSON_ROW, redrive_header(said)))


BAD = message("s.requests", 0, 2, b"{")
QUARANTINED = message("s.quarantine", 0, 0, b"{", quarantine_headers(BAD, "not JSON"))


def test_a_message_that_was_sent_again_is_in_the_lake_and_not_in_quarantine() -> None:
    mended = again("s.requests", 0, 3, (0, 3, "e"), (0, 2))
    requests = [*json_rows("s.requests", REQUESTS), BAD, mended]
    found = check(requests=requests, in_lake=[*REQUESTS, (0, 3, "e")], quarantine=[QUARANTINED], acknowledged=(5, 3))

    assert found.ok, found.violations
    assert (found.sent, found.lake, found.quarantined, found.redriven) == (8, 8, 0, 1)


def test_a_message_that_was_sent_again_and_is_nowhere_is_missing() -> None:
    mended = again("s.requests", 0, 3, (0, 3, "e"), (0, 2))
    requests = [*json_rows("s.requests", REQUESTS), BAD, mended]
    found = check(requests=requests, quarantine=[QUARANTINED], acknowledged=(5, 3))

    assert not found.ok
    assert str(found.violations[0]) == "s.requests: 1 missing (0/3 e)"


def test_a_message_that_was_sent_again_twice_is_one_row() -> None:
    twice = [again("s.requests", 0, offset, (0, offset, "e"), (0, 2)) for offset in (3, 4)]
    requests = [*json_rows("s.requests", REQUESTS), BAD, *twice]
    found = check(requests=requests, in_lake=[*REQUESTS, (0, 3, "e"), (0, 4, "e")], quarantine=[QUARANTINED], acknowledged=(5, 3))

    assert found.ok, found.violations
    assert (found.sent, found.lake, found.quarantined, found.redriven) == (8, 8, 0, 1)


def test_a_message_that_was_sent_again_and_rejected_again_is_in_quarantine_once() -> None:
    still_bad = again("s.requests", 0, 3, (0, 3, "e"), (0, 2))
    twice = [QUARANTINED, message("s.quarantine", 0, 1, b"{", quarantine_headers(still_bad, "not JSON"))]
    requests = [*json_rows("s.requests", REQUESTS), BAD, still_bad]
    found = check(requests=requests, quarantine=twice, acknowledged=(5, 3))
    assert found.ok, found.violations
    assert (found.sent, found.lake, found.quarantined, found.redriven) == (8, 7, 1, 0)

    requests.append(again("s.requests", 0, 4, (0, 4, "e"), (0, 3)))
    found = check(requests=requests, in_lake=[*REQUESTS, (0, 4, "e")], quarantine=twice, acknowledged=(5, 3))
    assert found.ok, found.violations
    assert (found.sent, found.lake, found.quarantined, found.redriven) == (8, 8, 0, 1)


def test_a_redrive_does_not_make_up_for_a_row_that_was_lost() -> None:
    mended = again("s.requests", 0, 3, (0, 3, "e"), (0, 2))
    requests = [*json_rows("s.requests", REQUESTS[1:]), BAD, mended]
    found = check(requests=requests, in_lake=[*REQUESTS[1:], (0, 3, "e")], quarantine=[QUARANTINED], acknowledged=(5, 3))

    assert not found.ok
    assert str(found.violations[0]) == "s.requests: 1 not in topic"


def test_a_message_that_says_it_was_sent_again_of_one_that_nobody_rejected_is_its_own() -> None:
    requests = [*json_rows("s.requests", REQUESTS), again("s.requests", 0, 3, (0, 3, "e"), (0, 0))]
    found = check(requests=requests, in_lake=[*REQUESTS, (0, 3, "e")], acknowledged=(5, 3))

    assert found.ok, found.violations
    assert (found.sent, found.lake, found.redriven) == (8, 8, 0)
