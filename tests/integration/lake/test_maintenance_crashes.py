"""A process of upkeep killed between any two of its steps: the table, its cursors and every snapshot are whole (I1, I3, I4)."""

import hashlib
import signal

import pytest
from tests.support.lake_rows import TOPIC_ID, flush_of, lake_inferences, lake_labels
from tests.support.maintenance_steps import PIN_END, run, run_and_die
from tests.support.sample_project import sample_project
from tests.support.traffic import event_id

from driftloop.lake.commit import commit, store_files
from driftloop.lake.cursors import app_id
from driftloop.lake.manifests import snapshot_key
from driftloop.lake.pin_index import PinIndex
from driftloop.lake.pinning import pin
from driftloop.lake.snapshot import load_snapshot, read_snapshot
from driftloop.lake.tombstones import marks

POINTS = {
    "compact": ("compact.before-store", "compact.after-store", "compact.after-commit"),
    "clean": ("clean.after-mark", "clean.before-delete", "clean.after-delete"),
    "pin": ("pin.before-manifest", "pin.after-manifest"),
}


@pytest.fixture
def world(open_table, store, schema, settings):
    """Twenty rows that a snapshot pins, merged once; then twenty more, and files of theirs that nobody pins."""
    project = sample_project(schema)

    def append(at):
        for name, rows in (("inferences", lake_inferences), ("labels", lake_labels)):
            table = open_table(name)
            flush = flush_of(rows(schema, 0, at, at + 10), 0, at, at + 10)
            store_files(store, table, flush)
            commit(table, store, flush)

    append(0)
    append(10)
    digest, _ = pin(store, project, open_table("inferences"), open_table("labels"), start=None, end=PIN_END)
    run("compact", schema.stream, settings)
    append(20)
    append(30)
    return digest


def check(open_table, store, schema, digest, seen):
    for name in ("inferences", "labels"):
        table = open_table(name)
        assert sorted(table.read(["event_id"])["event_id"].to_pylist()) == sorted(event_id(0, n) for n in range(40))
        assert table.cursors() == {app_id(TOPIC_ID, 0): 40}
        for entry in table.files():
            assert hashlib.sha256(store.get(f"{table.root}/{entry.path}")).hexdigest() in entry.path
    for found in store.list(f"snapshots/{schema.stream}/"):
        snapshot = load_snapshot(store, schema.stream, found.key.rpartition("/")[2].removesuffix(".json"))
        rows = read_snapshot(store, snapshot, schema)
        assert rows.num_rows == (20 if snapshot.digest == digest else 40)
        assert seen.setdefault(snapshot.digest, rows).equals(rows)


@pytest.mark.parametrize(("step", "point"), [(step, point) for step, points in POINTS.items() for point in points])
def test_a_kill_between_two_steps_leaves_everything_whole_and_the_next_run_finishes(
    step, point, world, open_table, store, schema, settings
):
    seen = {}
    check(open_table, store, schema, world, seen)
    if step == "clean":
        run("compact", schema.stream, settings)  # the first merged file and two others become nobody's
    assert run_and_die(step, schema.stream, settings, point) == -signal.SIGKILL
    check(open_table, store, schema, world, seen)
    for again in ("compact", "clean", "pin", "clean"):
        run(again, schema.stream, settings)
        check(open_table, store, schema, world, seen)
    table = open_table()
    names = {f.path for f in table.files()} | PinIndex(store, schema.stream, "inferences").paths()
    prefix = f"{table.root}/"
    assert {f.key.removeprefix(prefix) for f in store.list(prefix) if "/_" not in f.key} == names
    assert not marks(store, table.root)
    assert len(list(store.list(snapshot_key(schema.stream, "").removesuffix(".json")))) == 2
