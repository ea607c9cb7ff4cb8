"""Labels of today for events of a year ago: only the files that can hold those events are read."""

from datetime import timedelta

import msgspec
import pyarrow as pa
import pytest
from tests.support.lake_rows import TOPIC_ID, flush_of, lake_inferences, lake_labels
from tests.support.traffic import START

from driftloop.contracts.values import Window
from driftloop.lake.commit import commit, store_files
from driftloop.lake.commit_times import times_of_commit
from driftloop.lake.compaction_plan import CompactionRules
from driftloop.lake.join import JoinCounts
from driftloop.lake.maintenance import compact
from driftloop.lake.parquet import encode_file
from driftloop.lake.table import LakeTable
from driftloop.rows.schemas import TIME
from driftloop_monitor.lake_view import LakeView

DAYS, PER_DAY = range(0, 365, 7), 20
OLD, NEW = 21, 364  # days
FIRST_LATE = PER_DAY * (len(DAYS) - 2)  # offset


def window(day):
    return Window(start=START + timedelta(days=day), end=START + timedelta(days=day + 1))


def of_day(rows, day):
    """The rows happen on that day, a minute apart."""
    times = pa.array([START + timedelta(days=day, minutes=n) for n in range(rows.num_rows)], TIME)
    return rows.set_column(rows.schema.get_field_index("event_time"), rows.schema.field("event_time"), times)


def of_days(make, schema, days, first_offset):
    """One commit with a file for each day; the n-th day's events are those at n times PER_DAY."""
    parts = [of_day(make(schema, 0, day * PER_DAY, (day + 1) * PER_DAY), day) for day in days]
    flush = flush_of(None, 0, first_offset, first_offset + PER_DAY * len(parts))
    offsets = range(first_offset, first_offset + PER_DAY * len(parts), PER_DAY)
    files = tuple(encode_file(part, topic_id=TOPIC_ID, partition=0, first_offset=at) for part, at in zip(parts, offsets, strict=True))
    return msgspec.structs.replace(flush, files=files)


@pytest.fixture
def year(open_table, store, schema, settings, proxy):
    """A year of inferences, a day a week, labelled but for the old day and the newest; then the labels of those two, in one commit.

    The monitor's view of it, through a proxy that counts.
    """
    inferences, labels = open_table("inferences"), open_table("labels")

    def write(table, flush):
        store_files(store, table, flush)
        commit(table, store, flush)

    write(inferences, of_days(lake_inferences, schema, DAYS, 0))
    write(labels, of_days(lake_labels, schema, [d for d in DAYS if d not in (OLD, NEW)], 0))
    view = LakeView(msgspec.structs.replace(settings, endpoint=proxy.endpoint), schema.stream, TOPIC_ID, 1)
    view.refresh()
    view.changed()
    late = of_days(lake_labels, schema, [OLD, NEW], FIRST_LATE)
    together = pa.concat_tables([of_day(lake_labels(schema, 0, d * PER_DAY, (d + 1) * PER_DAY), d) for d in (OLD, NEW)])
    file = encode_file(together, topic_id=TOPIC_ID, partition=0, first_offset=FIRST_LATE)
    write(labels, msgspec.structs.replace(late, files=(file,)))
    view.refresh()
    return view


def data_files(proxy, table):
    """Distinct data files of one table that were read."""
    paths = {line.split()[1].partition("?")[0] for line in proxy.seen if line.startswith("GET") and ".parquet" in line}
    return {path for path in paths if f"/{table}/" in path and "_delta_log" not in path}


def test_the_join_of_labels_a_year_old_reads_the_files_of_their_days_alone(year, proxy, open_table):
    proxy.seen.clear()
    before = proxy.received
    changed = year.changed()
    assert [(low.date(), high.date()) for low, high in changed] == [(window(day).start.date(),) * 2 for day in (OLD, NEW)]
    assert len(data_files(proxy, "labels")) == 1, "the times of the new labels"
    for day in (OLD, NEW):
        counts = JoinCounts()
        rows = year.rows(window(day), counts)
        assert rows.num_rows == PER_DAY
        assert (counts.labels, counts.joined) == (PER_DAY, PER_DAY)
        assert rows["label"].null_count == 0
    assert len(data_files(proxy, "inferences")) == 2, f"of {len(DAYS)}"
    assert len(data_files(proxy, "labels")) == 1
    stored = sum(f.size for name in ("inferences", "labels") for f in open_table(name).files())
    assert proxy.received - before < 0.3 * stored, "with the logs, whose share is large where the files have twenty rows"


def test_a_day_between_them_is_not_looked_at_again(year):
    assert not [1 for low, high in year.changed() if low < window(100).end and high >= window(100).start]


def test_merged_files_still_hold_neighbours_in_time(year, proxy, open_table, store, settings, schema):
    rules = CompactionRules(target_rows=100)
    for name in ("inferences", "labels"):
        compact(open_table(name), store, rules)
    assert 5 < len(open_table("inferences").files()) < 20
    view = LakeView(msgspec.structs.replace(settings, endpoint=proxy.endpoint), schema.stream, TOPIC_ID, 1)
    view.refresh()
    proxy.seen.clear()
    assert view.rows(window(OLD)).num_rows == PER_DAY
    assert len(data_files(proxy, "inferences")) == 1
    assert len(data_files(proxy, "labels")) <= 2


def test_the_times_of_a_commit_whose_files_are_gone_are_those_of_its_note(year, open_table, store, settings, schema):
    table = open_table("labels")
    version = table.version
    late = next(a["add"]["path"] for a in table.log_entry(version) if "add" in a)
    assert len(times_of_commit(table, version)) == 2
    store.delete(f"{table.root}/{late}")
    ((low, high),) = times_of_commit(LakeTable.open(settings, schema.stream, "labels"), version)
    assert (low.date(), high.date()) == (window(OLD).start.date(), window(NEW).start.date())


def test_a_merge_brings_no_times(year, open_table, store):
    table = open_table("labels")
    compact(table, store, CompactionRules(), everything=True)
    assert times_of_commit(table, table.version) == []
