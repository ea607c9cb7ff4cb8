"""Ingest looks after the lake while it fills: merging and deleting all the time, under load, killed again and again."""

import random
import time

from tests.support.sample_project import sample_project
from tests.support.traffic import event_time
from tests.support.waiting import wait_until

from driftloop.lake.pinning import pin
from driftloop.lake.snapshot import load_snapshot, read_snapshot
from driftloop.lake.table import LakeTable

BUSY = {
    "DRIFTLOOP_INGEST_COMPACT_SECONDS": "0.2",
    "DRIFTLOOP_INGEST_CLEAN_SECONDS": "0.3",
    "DRIFTLOOP_INGEST_CLEAN_GRACE_HOURS": "0",
}


def pinned(world):
    """A snapshot of now, and its rows as they are read now."""
    project = sample_project(world.traffic.schema)
    tables = [LakeTable.open(world.s3, world.stream, name) for name in ("inferences", "labels")]
    digest, snapshot = pin(world.store, project, *tables, start=None, end=event_time(10**6))
    return digest, read_snapshot(world.store, snapshot, world.traffic.schema)


def test_upkeep_in_a_loop_during_ingest_under_kills_keeps_every_row_once_and_every_snapshot_whole(world):
    chance = random.Random(5)
    snapshots = {}
    first, second = world.ingest("ingest-0", **BUSY), world.ingest("ingest-1", **BUSY)
    with first, second:
        for victim in (first, second):
            merged = first.logged("lake-compacted") + second.logged("lake-compacted")
            for _ in range(6):
                world.send(rows=50)
                time.sleep(0.3)
            wait_until(lambda n=merged: first.logged("lake-compacted") + second.logged("lake-compacted") > n, "a compaction")
            digest, rows = pinned(world)
            snapshots[digest] = rows
            world.send(rows=50)
            time.sleep(chance.uniform(0, 0.5))  # the fault's own moment
            victim.kill()
            victim.start().wait_ready()
        world.wait_caught_up()
        deleted = first.logged("lake-cleaned") + second.logged("lake-cleaned")
        assert deleted, "nothing was cleaned up"
    world.check()
    assert len(snapshots) == 2
    for digest, rows in snapshots.items():
        again = read_snapshot(world.store, load_snapshot(world.store, world.stream, digest), world.traffic.schema)
        assert again.equals(rows)


def test_one_of_two_instances_looks_after_the_lake(world):
    with world.ingest("ingest-0", **BUSY) as first, world.ingest("ingest-1", **BUSY) as second:
        wait_until(lambda: all(i.logged("partition-taken") for i in (first, second)), "both to have partitions")
        began = [i.logged("lake-compacted") for i in (first, second)]
        for _ in range(8):
            world.send(rows=50)
            time.sleep(0.3)
        world.wait_caught_up()
        wait_until(lambda: first.logged("lake-compacted") + second.logged("lake-compacted") > sum(began), "a compaction")
        worked = [i.logged("lake-compacted") - before for i, before in zip((first, second), began, strict=True)]
        assert not first.logged("partitions-fenced") + second.logged("partitions-fenced"), "a compaction fences nobody"
    assert min(worked) == 0
    world.check()
