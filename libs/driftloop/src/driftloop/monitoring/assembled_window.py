"""One window of a stream: its counts by partition, and what was said about it. Pure."""

from dataclasses import dataclass, field

import msgspec

from driftloop.contracts.events import WindowSketched
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import DriftVerdict, MovedColumn, Window
from driftloop.monitoring.held_counts import HeldCounts
from driftloop.monitoring.incidents import Alarm, Incident
from driftloop.monitoring.performance import LastReport


class WindowSummary(msgspec.Struct, frozen=True):
    """What was reported about a window, as the policy needs it. ``version``: the one that scored most rows; ``column``: its
    column that moved most. ``repeated``: whether the window is one of the policy's k of n; unset: it is if it drifted."""

    version: int | None
    rows: int
    drifted: bool
    column: str | None
    value: float | None = msgspec.field(name="psi")  # how far it moved; stored under the older name
    threshold: float | None  # of that statistic; None: there was none to judge by
    closing_offsets: dict[str, int]
    topic_ids: dict[str, str] | msgspec.UnsetType = msgspec.UNSET  # by partition, of the ``inferences`` that these offsets are of
    statistic: str | msgspec.UnsetType = msgspec.UNSET  # whose ``value`` it is; unset: RANKED_BY
    repeated: bool | msgspec.UnsetType = msgspec.UNSET
    moved: tuple[MovedColumn, ...] | msgspec.UnsetType = msgspec.UNSET  # of that version: ``answers.moved_columns``
    verdict: DriftVerdict | msgspec.UnsetType = msgspec.UNSET
    drifted_columns: dict[str, float] | msgspec.UnsetType = msgspec.UNSET  # as an incident has them
    incident: Incident | msgspec.UnsetType = msgspec.UNSET  # that is open after the window


class _StoredWindow(msgspec.Struct):
    """A window as its table has it. ``sketches``: its counts by partition, which earlier releases stored here."""

    window: Window
    sketches: dict[int, WindowSketched] = {}
    revision: int = -1
    summary: WindowSummary | None = None
    performance: tuple[LastReport, ...] | msgspec.UnsetType = msgspec.UNSET


@dataclass
class AssembledWindow:
    """One window of the stream. ``by_partition``: its counts, stored apart; ``revision`` of the last drift report; −1: none yet.
    ``performance``: the last performance report of each version, remembered here because its topic forgets."""

    window: Window
    by_partition: dict[int, HeldCounts] = field(default_factory=dict)
    revision: int = -1
    summary: WindowSummary | None = None
    performance: tuple[LastReport, ...] | msgspec.UnsetType = msgspec.UNSET

    @property
    def alarm(self) -> Alarm:
        """What its last drift report comes to; of a window that has none: no verdict."""
        said = self.summary
        if said is None or said.verdict is msgspec.UNSET:
            return Alarm(self.window, None, {}, None)
        return Alarm(self.window, said.verdict, said.drifted_columns or {}, said.version)

    @property
    def open_incident(self) -> Incident | None:
        """The one that is open after it."""
        return None if self.summary is None or self.summary.incident is msgspec.UNSET else self.summary.incident

    def last_report(self, version: int | None) -> LastReport | None:
        """The last performance report that is remembered of a version, or of all together."""
        known = () if self.performance is msgspec.UNSET else self.performance
        return next((last for last in known if last.version == version), None)

    def encode(self) -> bytes:
        """Without the counts."""
        stored = _StoredWindow(self.window, revision=self.revision, summary=self.summary, performance=self.performance)
        return msgspec.msgpack.encode(stored)

    @classmethod
    def decode(cls, value: bytes) -> "AssembledWindow":
        """With the counts where an earlier release stored them."""
        found = msgspec.msgpack.decode(value, type=prepared(_StoredWindow))
        counts = {partition: HeldCounts.of(counted) for partition, counted in found.sketches.items()}
        return cls(found.window, counts, found.revision, found.summary, found.performance)
