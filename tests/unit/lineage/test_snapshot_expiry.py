"""Which snapshots nobody needs any more."""

from datetime import UTC, datetime, timedelta

import pytest

from driftloop.datasets.snapshots import Stored
from driftloop.history.training_use import TrainedOn
from driftloop.lineage.snapshot_expiry import expiries

NOW = datetime(2026, 5, 1, tzinfo=UTC)
OLD, LIMIT = NOW - timedelta(days=90), NOW - timedelta(days=30)
DIGEST = "a" * 64


def run(state, version=None):
    return TrainedOn(model="m", request_id=f"r{version or state}", state=state, version=version)


@pytest.mark.parametrize(
    ("pinned_at", "runs", "deleted", "held"),
    [
        (OLD, [], {}, None),
        (OLD, [run("failed")], {}, None),
        (OLD, [run("version", 1), run("version", 2)], {1: OLD, 2: OLD}, None),
        (NOW, [], {}, "it was pinned at 2026-05-01"),
        (LIMIT, [], {}, "it was pinned at"),
        (LIMIT - timedelta(seconds=1), [], {}, None),
        (OLD, [run("version", 1), run("version", 2)], {1: OLD}, "version 2 of m was trained on it"),
        (OLD, [run("version", 1)], {1: NOW}, "version 1 of m was deleted at 2026-05-01"),
        (OLD, [run("running")], {}, "the run rrunning of m may still become a version"),
        (OLD, [run("completed"), run("version", 1)], {1: OLD}, "the run rcompleted of m may still become a version"),
    ],
)
def test_a_snapshot_stays_while_something_may_be_rebuilt_from_it(pinned_at, runs, deleted, held):
    (found,) = expiries(
        [Stored("s", DIGEST, pinned_at)], {DIGEST: runs}, {("m", version): since for version, since in deleted.items()}, before=LIMIT
    )
    assert (found.held or "").startswith(held or "")
    assert (found.held is None) == (held is None)


def test_a_version_of_another_model_with_the_same_number_does_not_count():
    (found,) = expiries([Stored("s", DIGEST, OLD)], {DIGEST: [run("version", 1)]}, {("other", 1): OLD}, before=LIMIT)
    assert found.held == "version 1 of m was trained on it"
