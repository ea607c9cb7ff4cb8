"""The end of a snapshot: a record that it was given up, in its manifest's place. After that a clean-up may delete its files."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from driftloop.crashpoints import crash_point
from driftloop.lake.manifests import Expired, expired_key, manifests_of
from driftloop.ports import ObjectStat, ObjectStore


def give_up(store: ObjectStore, stream: str, digest: str, *, by: str, reason: str, at: datetime) -> Sequence[ObjectStat]:
    """End a snapshot for good; the manifests that were removed. Safe to repeat, and to end anywhere.

    Who reads its files already has the grace period of the next clean-up. Who pins the same content later gets a manifest
    under the next number. A run that was handed the digest just before finds the record, and fails with its words.
    Raises TransientError.
    """
    found = manifests_of(store, stream, digest)
    if found.kept:
        end = msgspec.json.encode(Expired(at=at, by=by, reason=reason))
        store.put_if_absent(expired_key(stream, digest, found.number), end)
        crash_point("give-up.after-end")
        found = manifests_of(store, stream, digest)
    for manifest in found.ended:
        store.delete(manifest.key)
        crash_point("give-up.after-delete")
    return found.ended
