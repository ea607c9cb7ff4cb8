"""Upkeep as processes that may be told where to die: ``python -m tests.support.maintenance_steps STEP STREAM``.

``archive-20`` archives the log, twenty versions to a file.
"""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import msgspec
from tests.support.lake_rows import TOPIC_ID
from tests.support.sample_project import sample_project
from tests.support.traffic import event_time, small_schema
from tests.support.waiting import PATIENCE_SECONDS

from driftloop.adapters.s3 import MinioObjectStore
from driftloop.contracts.gaps import AcceptedGap
from driftloop.lake import archived_log
from driftloop.lake.compaction_plan import CompactionRules
from driftloop.lake.gaps import accept_gap
from driftloop.lake.log_archive import archive_log
from driftloop.lake.maintenance import compact
from driftloop.lake.pinning import pin
from driftloop.lake.snapshot_end import give_up
from driftloop.lake.table import LakeTable
from driftloop.lake.vacuum import clean
from driftloop.rows.schemas import lake_schema
from driftloop.settings import S3Settings

PIN_END = event_time(1000)


def run(step: str, stream: str, s3: S3Settings) -> None:
    store = MinioObjectStore(s3)
    tables = [LakeTable.open(s3, stream, name, lake_schema(small_schema(stream), name)) for name in ("inferences", "labels")]
    if step == "pin":
        pin(store, sample_project(small_schema(stream)), *tables, start=None, end=PIN_END)
    if step == "give-up":
        for key in [found.key for found in store.list(f"snapshots/{stream}/")]:
            give_up(store, stream, key.rpartition("/")[2][:64], by="test", reason="test", at=datetime.now(UTC))
    if step == "gap":
        missing = AcceptedGap(
            topic=f"{stream}.inferences", topic_id=TOPIC_ID, partition=0, start=10, end=25, reason="r", by="test", at=datetime.now(UTC)
        )
        accept_gap(tables[0], store, missing)
    what, _, block = step.partition("-")
    if block.isdecimal():
        archived_log.BLOCK = int(block)
    for table in tables:
        if what == "archive":
            archive_log(table, store, keep=timedelta(0), now=datetime.now(UTC) + timedelta(seconds=1))
        if step == "compact":
            compact(table, store, CompactionRules(), everything=True)
        elif step == "clean":
            clean(table, store, grace=timedelta(0), now=lambda: datetime.now(UTC))


def run_and_die(step: str, stream: str, s3: S3Settings, point: str) -> int:
    """The exit code: minus nine when the point was hit."""
    access = {"TEST_S3": msgspec.json.encode(s3).decode()}
    env = os.environ | access | {"DRIFTLOOP_CRASH_POINT": point}
    return subprocess.run([sys.executable, "-m", __name__, step, stream], env=env, check=False, timeout=PATIENCE_SECONDS).returncode


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], msgspec.json.decode(os.environ["TEST_S3"], type=S3Settings))
