"""Many small commits do not make a table slow: requests and bytes stay what they were. Seconds: `python -m bench many-commits`."""

import uuid

import msgspec
import pytest
from tests.support.lake_rows import flush_of, lake_inferences
from tests.support.lossy_proxy import lossy_proxy
from tests.support.servers import s3_settings
from tests.support.traffic import event_time, small_schema

from driftloop.adapters.s3 import MinioObjectStore
from driftloop.lake import delta
from driftloop.lake.commit import commit, store_files
from driftloop.lake.compaction_plan import CompactionRules
from driftloop.lake.maintenance import compact
from driftloop.lake.notes import WHOLE_EVERY
from driftloop.lake.table import LakeTable
from driftloop.rows.schemas import lake_schema

COMMITS, PART = 120, 40
CHECKPOINT, MERGE = 20, 20  # a checkpoint and a merge after so many commits; a hundred in earnest


@pytest.fixture(scope="module")
def schema():
    return small_schema(f"l-{uuid.uuid4().hex[:10]}")


@pytest.fixture(scope="module")
def settings(s3):
    return s3_settings(s3)


@pytest.fixture(scope="module")
def proxy(s3):
    with lossy_proxy(s3.endpoint) as running:
        yield running


@pytest.fixture(scope="module")
def counted(settings, proxy, schema):
    """A table after all the commits, and what each part of them cost its appender; merged every twenty commits. Made once."""
    with pytest.MonkeyPatch.context() as configured:
        configured.setitem(delta.CONFIGURATION, "delta.deletedFileRetentionDuration", "interval 1 seconds")
        configured.setitem(delta.CONFIGURATION, "delta.checkpointInterval", str(CHECKPOINT))
        return after_all_commits(settings, proxy, schema)


def after_all_commits(settings, proxy, schema):
    store, wanted = MinioObjectStore(settings), lake_schema(schema, "inferences")
    through = msgspec.structs.replace(settings, endpoint=proxy.endpoint)
    table, keeper = (LakeTable.open(to, schema.stream, "inferences", wanted) for to in (through, settings))
    rows = lake_inferences(schema, 0, 0, 10)
    costs = []
    for part in range(COMMITS // PART):
        before = len(proxy.seen), proxy.sent + proxy.received
        for n in range(part * PART, (part + 1) * PART):
            flush = flush_of(rows, 0, n * 10, n * 10 + 10, mark=event_time(n))
            store_files(store, table, flush)
            commit(table, store, flush)
            if n % MERGE == MERGE - 1:
                compact(keeper, store, CompactionRules())
        costs.append((len(proxy.seen) - before[0], proxy.sent + proxy.received - before[1]))
    return table, costs


def test_an_append_costs_the_same_after_many_commits_and_so_does_opening(counted, proxy, settings, schema, store):
    table, costs = counted
    (requests, size), (late_requests, late_size) = costs[0], costs[-1]
    assert late_requests < 1.1 * requests
    assert late_size < 1.2 * size
    checkpoints = [f.size for f in store.list(f"{table.root}/_delta_log/") if f.key.endswith(".checkpoint.parquet")]
    assert len(checkpoints) >= COMMITS // CHECKPOINT - 1
    assert checkpoints[-1] < 1.5 * checkpoints[0], "neither live files nor removed ones pile up"
    proxy.seen.clear()
    before = proxy.received
    opened = LakeTable.open(msgspec.structs.replace(settings, endpoint=proxy.endpoint), schema.stream, "inferences")
    assert list(opened.cursors().values()) == [10 * COMMITS]
    logs = [line for line in proxy.seen if ".json" in line and line.startswith("GET")]
    assert len(logs) <= CHECKPOINT + 10 + WHOLE_EVERY + 16, "no more than since the last checkpoint, and since the last whole state"
    assert proxy.received - before < 500_000
    assert len(opened.files()) <= 20


def test_the_whole_state_is_written_down_now_and_then_and_known_everywhere_in_between(counted, open_table):
    table, _ = counted
    notes = {version: note for version in range(1, table.version + 1) if (note := table.note(version)) is not None}
    whole = [version for version, note in notes.items() if note.state is not None]
    assert [b - a >= WHOLE_EVERY for a, b in zip([0, *whole], whole, strict=False)] == [True] * (COMMITS // WHOLE_EVERY)
    for version in (1, whole[0] - 1, whole[0], whole[0] + 1, table.version):
        (cursor,) = table.state_at(version).cursors.values()
        last = max(number for number in notes if number <= version)
        assert (cursor.start, cursor.end, cursor.version) == (0, notes[last].moves[0].end, last)
        assert open_table(version=version).cursors() == {notes[1].moves[0].cursor: cursor.end}


def test_the_offset_ranges_of_all_time_are_readable_after_checkpoints_and_merges(counted):
    table, _ = counted
    table.delta.create_checkpoint()
    table.delta.cleanup_metadata()  # as other tools do; the configuration says that nothing of ours is old
    notes = [note for version in range(1, table.version + 1) if (note := table.note(version)) is not None]
    assert [(n.moves[0].start, n.moves[0].end) for n in notes] == [(n * 10, n * 10 + 10) for n in range(COMMITS)]
    assert table.at(5).cursors() == {notes[0].moves[0].cursor: 50}
