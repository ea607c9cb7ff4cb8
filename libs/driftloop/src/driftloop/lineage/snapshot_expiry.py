"""Which snapshots nobody needs any more: pinned long ago, and all that was trained on them is deleted. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from driftloop.datasets.snapshots import Stored
from driftloop.history.training_use import TrainedOn


class Expiry(NamedTuple):
    """``held``: what stands against giving the snapshot up; None: nothing."""

    snapshot: Stored
    held: str | None


def expiries(
    stored: Iterable[Stored], trained: Mapping[str, Sequence[TrainedOn]], deleted: Mapping[tuple[str, int], datetime], *, before: datetime
) -> list[Expiry]:
    """``trained``: by digest, asked for after the snapshots were listed, so that a run of one of them is among it. ``deleted``:
    when, by model and version.

    A snapshot is needed to rebuild every version that was trained on it, and by a run that may still become one. Whatever is
    not older than ``before``, the pin or a version's deletion, stays: somebody may be about to name it, or to regret.
    """
    return [Expiry(each, _held(each, trained.get(each.digest, ()), deleted, before)) for each in stored]


def _held(stored: Stored, runs: Sequence[TrainedOn], deleted: Mapping[tuple[str, int], datetime], before: datetime) -> str | None:
    if stored.pinned_at >= before:
        return f"it was pinned at {_shown(stored.pinned_at)}"
    for run in runs:
        if run.state in ("running", "completed"):
            return f"the run {run.request_id} of {run.model} may still become a version"
        if run.version is not None:
            since = deleted.get((run.model, run.version))
            if since is None:
                return f"version {run.version} of {run.model} was trained on it"
            if since >= before:
                return f"version {run.version} of {run.model} was deleted at {_shown(since)}"
    return None


def _shown(time: datetime) -> str:
    return time.isoformat(timespec="seconds")
