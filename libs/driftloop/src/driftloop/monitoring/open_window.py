"""The counts of one window in memory."""

import msgspec
import numpy as np

from driftloop.contracts.values import PartitionSketch, Window
from driftloop.monitoring.partition_state import MAX_WINDOW_BYTES, VersionCounts, WindowCounts
from driftloop.statistics.histograms import merge
from driftloop.statistics.profile import Counts


class _Version:
    def __init__(self, profile: str, rows: int, counts: dict[str, Counts]) -> None:
        self.profile, self.rows, self.counts = profile, rows, counts


class OpenWindow:
    """Rows of one window of one partition, by model version."""

    def __init__(self) -> None:
        self.rows = 0
        self.late_rows = 0
        self.too_wide = 0  # bytes of the counts when they became too many; only rows are counted since
        self._versions: dict[int, _Version] = {}

    def add(self, rows: int, *, late: bool, version: int | None, counted: tuple[str, dict[str, Counts]] | None) -> None:
        """Rows of one version, with the digest of its profile and their counts; unscored rows have neither."""
        self.rows += rows
        self.late_rows += rows if late else 0
        if version is None or counted is None:
            return
        profile, counts = counted[0], {} if self.too_wide else counted[1]
        held = self._versions.get(version)
        if held is None:
            self._versions[version] = _Version(profile, rows, counts)
        else:
            held.rows += rows
            held.counts = merge(held.counts, counts)

    def encode(self, window: Window) -> bytes:
        """As a table value. Counts that are more than can be stored are let go of, for good."""
        value = self.store(window).encode()
        if len(value) <= MAX_WINDOW_BYTES:
            return value
        self.too_wide = len(value)
        for held in self._versions.values():
            held.counts = {}
        return self.store(window).encode()

    def by_version(self) -> tuple[PartitionSketch, ...]:
        """The counts of each version, as they go on the wire."""
        return tuple(
            PartitionSketch(version=number, profile=v.profile, rows=v.rows, counts={name: c.tolist() for name, c in v.counts.items()})
            for number, v in sorted(self._versions.items())
        )

    def store(self, window: Window) -> WindowCounts:
        versions = {s.version: VersionCounts(s.profile, s.rows, s.counts) for s in self.by_version()}
        too_wide = self.too_wide or msgspec.UNSET
        return WindowCounts(window=window, rows=self.rows, late_rows=self.late_rows, versions=versions, too_wide=too_wide)

    @classmethod
    def restore(cls, stored: WindowCounts) -> "OpenWindow":
        opened = cls()
        opened.rows, opened.late_rows, opened.too_wide = stored.rows, stored.late_rows, stored.too_wide or 0
        for number, v in stored.versions.items():
            counts = {name: np.array(c, dtype=np.int64) for name, c in v.counts.items()}
            opened._versions[number] = _Version(v.profile, v.rows, counts)
        return opened
