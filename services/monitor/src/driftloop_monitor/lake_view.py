"""What the monitor asks of the lake: is a window all there, which event times have changed, the joined rows."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa

from driftloop.contracts.class_probabilities import PROBABILITIES
from driftloop.contracts.values import Window
from driftloop.errors import ObjectNotFound
from driftloop.lake.commit_times import times_of_commit
from driftloop.lake.join import JoinCounts
from driftloop.lake.known_rows import labelled_rows
from driftloop.lake.table import LakeTable, app_id
from driftloop.monitoring.performance import COLUMNS
from driftloop.rows.schemas import CLASS_PROBABILITIES
from driftloop.rows.stored_columns import stored_as
from driftloop.settings import S3Settings
from driftloop.telemetry import get_logger

log = get_logger(__name__)

Range = tuple[datetime, datetime]


class LakeView:
    """Both tables of one stream, refreshed together. For one thread. Raises TransientError where the store is away."""

    def __init__(
        self,
        s3: S3Settings,
        stream: str,
        inferences_topic_id: str,
        label_partitions: int,
        columns: Sequence[str] = COLUMNS,
        *,
        folder: Path | None = None,
    ) -> None:
        """``folder``: where there is room for the files of a window whose rows do not fit into memory."""
        self._s3, self._stream, self._topic_id, self._label_partitions = s3, stream, inferences_topic_id, label_partitions
        self._columns, self._folder = columns, folder
        self._tables: dict[str, LakeTable] = {}
        self._seen: dict[str, int] = {}

    def refresh(self) -> bool:
        """Go to the newest versions; False while a table does not exist."""
        for name in ("inferences", "labels"):
            if name in self._tables:
                self._tables[name].refresh()
            else:
                try:
                    self._tables[name] = LakeTable.open(self._s3, self._stream, name)
                except ObjectNotFound:
                    return False
        return True

    @property
    def labels(self) -> LakeTable:
        """As of the last refresh; it must have found the table."""
        return self._tables["labels"]

    @property
    def versions(self) -> tuple[int, int]:
        """Delta versions of inferences and labels."""
        return self._tables["inferences"].version, self._tables["labels"].version

    @property
    def seen(self) -> dict[str, int]:
        """The version of each table up to which ``changed`` has told; empty before its first call."""
        return dict(self._seen)

    def changed(self, since: Mapping[str, int] = MappingProxyType({})) -> list[Range]:
        """Event-time ranges, both ends included, of rows committed since the last call; at the first call since the versions
        ``since``, as ``seen`` gave them, or none.

        Nothing counts as seen when the call fails: the next one tells of the commits of both tables.
        """
        ranges: list[Range] = []
        seen = self._seen or since
        for name, table in self._tables.items():
            for version in range(seen.get(name, table.version) + 1, table.version + 1):
                try:
                    ranges += times_of_commit(table, version)
                except ObjectNotFound as exc:  # the log entry is gone: what it brought is in the reports of remembered windows
                    log.warning("commit-not-looked-at", table=name, version=version, reason=str(exc))
        self._seen = {name: table.version for name, table in self._tables.items()}
        return ranges

    def holds(self, closing_offsets: Mapping[str, int], topic_ids: Mapping[str, str]) -> bool:
        """Whether all messages of ``inferences`` below these offsets are in the lake. ``topic_ids``: the topics that the offsets
        are of, as far as that is known; from one that is no more, nothing is to come."""
        cursors = self._tables["inferences"].cursors()
        to_come = {p: offset for p, offset in closing_offsets.items() if topic_ids.get(p, self._topic_id) == self._topic_id}
        return all(cursors.get(app_id(self._topic_id, int(p)), 0) >= offset for p, offset in to_come.items())

    def labels_known(self, window: Window) -> bool:
        """Whether every partition of the labels has promised to be past the window's end, or the next window is over too,
        so that waiting for slow or silent labels must end."""
        if _low(self._tables["labels"].watermarks(), self._label_partitions) >= window.end:
            return True
        marks = self._tables["inferences"].watermarks()
        return _low(marks, len(marks)) >= window.end + (window.end - window.start)

    def rows(self, window: Window, counts: JoinCounts | None = None) -> pa.Table:
        """What the window's inferences are measured by, with their labels, null where there is none yet. ``counts`` are added to.

        Without class probabilities, and without a new feature, while the table has no column for them: ingest adds it when it starts.
        """
        inferences, labels = self._tables["inferences"], self._tables["labels"]
        places = ((_place(name, inferences.schema), name) for name in self._columns)
        names = {place: name for place, name in places if place is not None}
        start, end, folder = window.start, window.end, self._folder
        rows = labelled_rows(
            inferences, labels, start=start, end=end, columns=list(names), keep_unlabelled=True, counts=counts, folder=folder
        )
        return rows.rename_columns([names.get(name, name) for name in rows.column_names])


def _place(name: str, stored: pa.Schema) -> str | None:
    """The stored column of a name: one of COLUMNS, class probabilities, or a category."""
    if name in COLUMNS:
        return name
    return stored_as(CLASS_PROBABILITIES if name == PROBABILITIES else pa.field(name, pa.string()), stored)


def _low(marks: dict[int, datetime], partitions: int) -> datetime:
    """The lowest watermark; before all time while a partition has none."""
    return min(marks.values()) if marks and len(marks) >= partitions else datetime.min.replace(tzinfo=UTC)
