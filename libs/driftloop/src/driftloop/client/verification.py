"""Whether the bytes of snapshots are still there, and what changed between two versions of data."""

from collections.abc import Callable, Sequence

from driftloop.client.connections import Connections
from driftloop.client.stored_profile import stored_profile
from driftloop.contracts.values import Part
from driftloop.datasets.diff import DatasetDiff, difference
from driftloop.datasets.diff_inputs import side
from driftloop.datasets.snapshots import find_snapshot, stored_snapshots
from driftloop.datasets.split_check import SplitReport
from driftloop.datasets.split_rows import split_report
from driftloop.datasets.verify import Verified, Verifier


class Verification(Part, frozen=True, kw_only=True):
    """``split``: of the intact snapshots, when it was asked for."""

    snapshots: tuple[Verified, ...]
    split: SplitReport | None

    @property
    def ok(self) -> bool:
        return all(found.ok for found in self.snapshots) and (self.split is None or self.split.ok)


def verify(to: Connections, beginnings: Sequence[str], *, split: bool, on_file: Callable[[str], None]) -> Verification:
    """Hash every file of the snapshots whose digests begin so, or of all. Raises UserError, TransientError."""
    chosen = [find_snapshot(to.store, beginning) for beginning in beginnings]
    chosen = chosen or [(stored.stream, stored.digest) for stored in stored_snapshots(to.store)]
    verifier = Verifier(to.store, on_file)
    found = tuple(verifier.verify(stream, digest) for stream, digest in chosen)
    intact = [(v.stream, v.digest) for v in found if v.ok]
    return Verification(snapshots=found, split=split_report(to.store, intact) if split else None)


def diff(to: Connections, a: str, b: str) -> DatasetDiff:
    """From ``a`` to ``b``: beginnings of snapshots' digests, or STREAM/TABLE[@VERSION].

    Raises UserError, TransientError, and IntegrityError when a snapshot's bytes are not those that were pinned.
    """
    before, after = side(to.store, to.s3, a), side(to.store, to.s3, b)
    return difference(before, after, stored_profile(to, before))
