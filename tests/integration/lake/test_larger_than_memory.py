"""A snapshot joined, split and iterated in a bound of memory that its rows at once would break. `python -m bench
larger-than-memory` does it with 20 M rows within 4 GiB."""

import subprocess
import sys
import uuid

import msgspec
import pytest
from bench.big_lake import pinned_stream
from bench.iterate_snapshot import Iterated, Task
from bench.wide_stream import wide_project
from tests.support.servers import s3_settings
from tests.support.waiting import PATIENCE_SECONDS

from driftloop.adapters.s3 import MinioObjectStore

ROWS = 400_000
BOUND = 450 * 2**20  # bytes of the whole process; 250 of these MiB are the libraries, and DuckDB's least
MEMORY = 32 * 2**20


@pytest.fixture(scope="module")
def pinned(s3):
    """Settings of the store, stream and digest of one snapshot for all tests."""
    settings, stream = s3_settings(s3), f"b-{uuid.uuid4().hex[:10]}"
    return settings, stream, pinned_stream(settings, MinioObjectStore(settings), wide_project(stream), ROWS, lambda rows: None)


@pytest.fixture
def iterated(pinned, tmp_path):
    """Iterate the snapshot in a process of its own."""
    settings, stream, digest = pinned

    def run(memory_bytes, of="snapshot"):
        task = Task(s3=settings, stream=stream, digest=digest, folder=str(tmp_path), memory_bytes=memory_bytes, limit_bytes=None, of=of)
        (tmp_path / "task.json").write_bytes(msgspec.json.encode(task))
        done = subprocess.run(
            [sys.executable, "-m", "bench.iterate_snapshot", str(tmp_path / "task.json")],
            capture_output=True,
            check=True,
            timeout=PATIENCE_SECONDS,
        )
        return msgspec.json.decode(done.stdout, type=Iterated), done.stderr.decode()

    return run


def test_a_snapshot_larger_than_its_memory_is_iterated_within_the_bound_in_the_same_order(iterated):
    (at_once, _), (sliced, progress) = iterated(None), iterated(MEMORY)
    assert at_once.peak_bytes > BOUND, "the bound says nothing"
    assert sliced.peak_bytes < BOUND
    assert (sliced.rows, sliced.held_out, sliced.content) == (ROWS, at_once.held_out, at_once.content)
    assert 0.09 < sliced.held_out / ROWS < 0.11
    assert "joining: " in progress


@pytest.mark.parametrize(("of", "bound"), [("dataset", BOUND), ("diff", BOUND + 150 * 2**20)])  # a diff holds two joins
def test_the_tables_as_they_are_and_a_diff_stay_within_it_too(iterated, of, bound):
    (at_once, _), (bounded, _) = iterated(None, of), iterated(MEMORY, of)
    assert (bounded.rows, bounded.content) == (at_once.rows, at_once.content)
    assert at_once.peak_bytes > bound, "the bound says nothing"
    assert bounded.peak_bytes < bound, (at_once.peak_bytes, bounded.peak_bytes)
