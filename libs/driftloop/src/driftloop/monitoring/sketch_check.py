"""Whether a sketch can be one of this stream's: a forged one must not stop the reports that the others make together. Pure."""

from collections.abc import Callable
from datetime import datetime

from driftloop.contracts.events import WindowSketched
from driftloop.errors import InvalidMessage
from driftloop.ports import TopicEnds
from driftloop.statistics.profile import Profile

MAX_PARTITIONS = 100_000  # more than a broker can hold; what is told of partitions that are not there is remembered
MAX_ROWS = 10**12  # of one window and partition: the sum over all partitions is still a ``RowCount``, so that it can be decided on


def check_place(sketch: WindowSketched, inferences: TopicEnds, latest: datetime | None) -> None:
    """Raises InvalidMessage for counts of messages that ``inferences`` does not hold: nobody could ever wait for them to be in the
    lake, nor for what a partition sends that is not there; and for a window that begins after ``latest`` (None: there is no such
    time). Of another incarnation of the topic nothing is waited for."""
    if latest is not None and sketch.window.start > latest:
        raise InvalidMessage(f"closes a window that begins at {sketch.window.start.isoformat()}, which is yet to come")
    if sketch.topic_id not in (None, inferences.topic_id):
        return
    if sketch.partitions > len(inferences.ends):
        raise InvalidMessage(f"is of one of {sketch.partitions} partitions; the topic has {len(inferences.ends)}")
    end = inferences.ends.get(sketch.partition)
    if end is not None and sketch.closing_offset > end:
        raise InvalidMessage(
            f"counts messages of partition {sketch.partition} up to {sketch.closing_offset}, and there are none from {end} on"
        )


def check_sketch(sketch: WindowSketched, profile_of: Callable[[int], tuple[str, Profile]]) -> None:
    """Raises InvalidMessage for a partition that its topic does not have, for more rows than there can be, and for counts that are
    not on the bins of the version's profile; whatever ``profile_of`` raises. Where the profile is lost to the worker that counted,
    which then counts rows only, or to the one that asks, there is nothing to compare."""
    if sketch.partition >= sketch.partitions:
        raise InvalidMessage(f"is of partition {sketch.partition} of {sketch.partitions}")
    if sketch.partitions > MAX_PARTITIONS:
        raise InvalidMessage(f"is of one of {sketch.partitions} partitions; no topic has so many")
    if sketch.rows > MAX_ROWS or sketch.late_rows > sketch.rows or sum(part.rows for part in sketch.sketches) > sketch.rows:
        of_versions = sum(part.rows for part in sketch.sketches)
        raise InvalidMessage(f"counts {sketch.rows} rows, {sketch.late_rows} late ones and {of_versions} of its versions")
    if any(max(counts, default=0) > part.rows for part in sketch.sketches for counts in part.counts.values()):
        raise InvalidMessage("has more rows in one bin than there are")
    versions = [part.version for part in sketch.sketches]
    if len(set(versions)) != len(versions):
        raise InvalidMessage("holds two sketches of one version")
    for part in sketch.sketches:
        digest, profile = profile_of(part.version)
        if not part.counts or not profile.columns:
            continue
        if part.profile != digest:
            raise InvalidMessage(f"version {part.version} is counted on the bins of {part.profile}, not of its profile {digest}")
        bins = {name: len(counts) for name, counts in part.counts.items()}
        if bins != {name: column.size for name, column in profile.columns.items()}:
            raise InvalidMessage(f"version {part.version} is not counted on the columns and bins of its profile")
