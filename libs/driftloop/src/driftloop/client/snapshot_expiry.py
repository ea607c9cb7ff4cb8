"""Snapshots that nobody needs any more, given up."""

import getpass
from datetime import UTC, datetime, timedelta

from driftloop.client.arguments import stream_name
from driftloop.client.connections import Connections
from driftloop.client.models import all_models
from driftloop.client.training_use import training_use
from driftloop.datasets.snapshots import stored_snapshots
from driftloop.lake.snapshot_end import give_up
from driftloop.lineage.snapshot_expiry import Expiry, expiries


def expired(to: Connections, stream: str, grace: timedelta, reason: str, *, dry_run: bool) -> list[Expiry]:
    """All snapshots of the stream with what holds each; those that nothing holds are given up, unless ``dry_run``.

    Raises UserError, TransientError; safe to repeat.
    """
    before = datetime.now(UTC) - grace
    stored = stored_snapshots(to.store, stream_name(stream))
    found = expiries(stored, training_use(to), _deleted(to), before=before)
    for each in found:
        if each.held is None and not dry_run:
            give_up(to.store, stream, each.snapshot.digest, by=getpass.getuser(), reason=reason, at=datetime.now(UTC))
    return found


def _deleted(to: Connections) -> dict[tuple[str, int], datetime]:
    """When each deleted version was deleted, by model and number."""
    standings = (standing for model in all_models(to.registry) for standing in model.standings.values())
    return {(s.model, s.version): s.since for s in standings if s.state == "deleted"}
