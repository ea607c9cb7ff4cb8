"""After a gap there is a way on: a commit says what is missing, moves the cursor, and the record is found by everybody."""

import signal
from datetime import UTC, datetime

import msgspec
import pytest
from tests.support.lake_rows import TOPIC_ID, append, lake_inferences, lake_labels
from tests.support.maintenance_steps import run, run_and_die

from driftloop.contracts.gaps import AcceptedGap, gaps_prefix
from driftloop.errors import UserError
from driftloop.lake.commit import CursorsMoved
from driftloop.lake.cursors import app_id, request_app_id
from driftloop.lake.gaps import accept_gap, accepted_gaps

AT = datetime(2026, 5, 1, tzinfo=UTC)
CURSOR = app_id(TOPIC_ID, 0)


@pytest.fixture
def table(open_table, store, schema):
    """Ten rows: it waits for offset 10."""
    table = open_table()
    append(store, table, lake_inferences(schema, 0, 0, 10), 0)
    return table


def gap(schema, start, end, *, topic="inferences", topic_id=TOPIC_ID):
    return AcceptedGap(
        topic=f"{schema.stream}.{topic}", topic_id=topic_id, partition=0, start=start, end=end, reason="the disk", by="Kim", at=AT
    )


def objects(store, schema):
    return [msgspec.json.decode(store.get(found.key), type=AcceptedGap) for found in store.list(gaps_prefix(schema.stream))]


def test_the_cursor_goes_over_the_gap_and_the_record_stays(table, store, schema, open_table):
    accepted = accept_gap(table, store, gap(schema, 10, 25))
    fresh = open_table()
    assert fresh.cursors() == {CURSOR: 25}
    assert list(accepted_gaps(fresh)) == objects(store, schema) == [accepted] == [gap(schema, 10, 25)]
    append(store, fresh, lake_inferences(schema, 0, 25, 30), 25)
    assert open_table().cursors() == {CURSOR: 30}
    assert accepted_gaps(open_table()) == (accepted,)
    assert fresh.note(2).gaps == (accepted,)


def test_labels_that_the_table_has_are_not_missing(open_table, store, schema):
    table = open_table("labels")
    append(store, table, lake_labels(schema, 0, 0, 10), 0)
    assert accept_gap(table, store, gap(schema, 3, 25, topic="labels")) == gap(schema, 10, 25, topic="labels")
    with pytest.raises(UserError, match=r"nothing is missing there: .* up to offset 25"):
        accept_gap(table, store, gap(schema, 3, 20, topic="labels"))


def test_messages_of_inferences_that_the_table_has_may_be_missing_to_the_monitor(table, store, schema, open_table):
    assert accept_gap(table, store, gap(schema, 3, 8)) == gap(schema, 3, 8)
    assert open_table().cursors() == {CURSOR: 10}
    assert accept_gap(table, store, gap(schema, 4, 25)) == gap(schema, 4, 25)
    assert open_table().cursors() == {CURSOR: 25}
    assert objects(store, schema) == [gap(schema, 3, 8), gap(schema, 4, 25)]


def test_a_gap_that_lies_ahead_is_recorded_and_moves_nothing(table, store, schema, open_table):
    accept_gap(table, store, gap(schema, 20, 25))
    assert open_table().cursors() == {CURSOR: 10}
    assert accepted_gaps(open_table()) == (gap(schema, 20, 25),)


def test_requests_of_a_table_that_waits_for_none_yet_are_missing_from_their_beginning(table, store, schema, open_table):
    accept_gap(table, store, gap(schema, 0, 7, topic="requests", topic_id="R"))
    assert open_table().cursors() == {CURSOR: 10, request_app_id("R", 0): 7}


def test_a_writer_at_work_is_fenced_and_starts_again_from_the_table(table, store, schema, open_table):
    writer = open_table()
    accept_gap(table, store, gap(schema, 10, 25))
    with pytest.raises(CursorsMoved):
        append(store, writer, lake_inferences(schema, 0, 10, 12), 10)


def test_twice_is_once(table, store, schema):
    accept_gap(table, store, gap(schema, 10, 25))
    version = table.version
    assert accept_gap(table, store, gap(schema, 10, 25)) == gap(schema, 10, 25)
    assert (table.version, len(objects(store, schema))) == (version, 1)


def test_a_kill_after_the_commit_leaves_the_record_and_the_next_call_puts_the_object(table, store, schema, settings, open_table):
    assert run_and_die("gap", schema.stream, settings, "gap.after-commit") == -signal.SIGKILL
    assert len(accepted_gaps(open_table())) == 1
    assert not objects(store, schema)
    run("gap", schema.stream, settings)
    assert list(accepted_gaps(open_table())) == objects(store, schema)
