"""Upkeep as processes that may be told where to die: ``python -m tests.support.maintenance_steps STEP STREAM``."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from tests.support.sample_project import sample_project
from tests.support.traffic import event_time, small_schema
from tests.support.waiting import PATIENCE_SECONDS

from driftloop.adapters.s3 import MinioObjectStore
from driftloop.lake.compaction_plan import CompactionRules
from driftloop.lake.maintenance import compact
from driftloop.lake.pinning import pin
from driftloop.lake.table import LakeTable
from driftloop.lake.vacuum import clean
from driftloop.settings import S3Settings

PIN_END = event_time(1000)


def run(step: str, stream: str, s3: S3Settings) -> None:
    store = MinioObjectStore(s3)
    tables = [LakeTable.open(s3, stream, name) for name in ("inferences", "labels")]
    if step == "pin":
        pin(store, sample_project(small_schema(stream)), *tables, start=None, end=PIN_END)
    for table in tables:
        if step == "compact":
            compact(table, store, CompactionRules(), everything=True)
        elif step == "clean":
            clean(table, store, grace=timedelta(0), now=lambda: datetime.now(UTC))


def run_and_die(step: str, stream: str, s3: S3Settings, point: str) -> int:
    """The exit code: minus nine when the point was hit."""
    access = {f"TEST_S3_{name.upper()}": getattr(s3, name) for name in S3Settings.__struct_fields__}
    env = os.environ | access | {"DRIFTLOOP_CRASH_POINT": point}
    return subprocess.run([sys.executable, "-m", __name__, step, stream], env=env, check=False, timeout=PATIENCE_SECONDS).returncode


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], S3Settings(**{name: os.environ[f"TEST_S3_{name.upper()}"] for name in S3Settings.__struct_fields__}))
