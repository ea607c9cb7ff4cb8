"""What the monitor asks of the lake about challengers: which event times have new answers, and a window's, with their labels."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from driftloop.contracts.values import Window
from driftloop.errors import ObjectNotFound
from driftloop.lake.commit_times import times_of_commit
from driftloop.lake.known_rows import labelled_rows
from driftloop.lake.table import LakeTable
from driftloop.rows.schemas import SHADOW
from driftloop.settings import S3Settings
from driftloop.telemetry import get_logger
from driftloop_monitor.lake_view import Range

LOOK_SECONDS = 30.0  # for a table that is not there: most streams never have a challenger

log = get_logger(__name__)


class ShadowView:
    """The table of shadow rows of one stream, if there is one. For one thread. Raises TransientError where the store is away."""

    def __init__(
        self,
        s3: S3Settings,
        stream: str,
        columns: Sequence[str],
        *,
        folder: Path | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._s3, self._stream, self._columns, self._folder, self._monotonic = s3, stream, columns, folder, monotonic
        self._table: LakeTable | None = None
        self._seen: int | None = None  # null: nothing was looked at yet
        self._looked = float("-inf")

    def refresh(self) -> None:
        """Go to the newest version."""
        if self._table is not None:
            self._table.refresh()
        elif self._monotonic() - self._looked >= LOOK_SECONDS:
            try:
                self._table = LakeTable.open(self._s3, self._stream, SHADOW)
            except ObjectNotFound:
                self._looked = self._monotonic()
                self._seen = 0

    def changed(self) -> list[Range]:
        """Event-time ranges, both ends included, of rows committed since the last call; at a first call that finds a table, none:
        whoever starts looks at every window anyway."""
        if self._table is None:
            return []
        newest, ranges = self._table.version, list[Range]()
        for version in range((newest if self._seen is None else self._seen) + 1, newest + 1):
            try:
                ranges += times_of_commit(self._table, version)
            except ObjectNotFound as exc:
                log.warning("commit-not-looked-at", table=SHADOW, version=version, reason=str(exc))
        self._seen = newest
        return ranges

    def rows(self, window: Window, labels: LakeTable) -> pa.Table | None:
        """What challengers answered for the window's rows, with the labels, null where there is none yet; None when nothing was."""
        if self._table is None or not self._table.files(window.start, window.end):
            return None
        start, end = window.start, window.end
        return labelled_rows(self._table, labels, start=start, end=end, columns=self._columns, keep_unlabelled=True, folder=self._folder)
