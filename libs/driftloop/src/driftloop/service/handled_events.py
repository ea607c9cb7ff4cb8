"""The ids of the events that an instance has handled, in its state directory: an event that is delivered again is not handled again."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from driftloop.errors import ConfigurationError, TransientError
from driftloop.telemetry import get_logger

KEEP = 100_000  # ids; a control topic brings that many in months, and what is delivered again is recent

_SCHEMA = "CREATE TABLE IF NOT EXISTS handled (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE)"
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}  # the last: it is somebody else's database

log = get_logger(__name__)


class HandledEventsFile:
    """Keeps ``event_worker.HandledEvents``: the newest ``keep`` ids, in one SQLite file. From any thread.

    It knows what this instance has handled, not what its peers have: an event that comes to another instance in a rebalance
    may be handled by both. A file that is lost or damaged is begun anew, since the state directory promises no more.
    """

    def __init__(self, path: Path, *, keep: int = KEEP) -> None:
        """Raises ConfigurationError when the folder of ``path`` cannot be made."""
        self._path, self._keep = path, keep
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise ConfigurationError(f"the state directory cannot be written: {path.parent}: {exc.strerror}") from exc

    def __contains__(self, event_id: str) -> bool:
        with self._lock, self._opened() as db:
            return db.execute("SELECT 1 FROM handled WHERE id = ?", (event_id,)).fetchone() is not None

    def add(self, event_id: str) -> None:
        """Return once the id is on the disk. Raises TransientError."""
        with self._lock, self._opened() as db, db:
            number = db.execute("INSERT OR IGNORE INTO handled (id) VALUES (?)", (event_id,)).lastrowid or 0
            db.execute("DELETE FROM handled WHERE number <= ?", (number - self._keep,))

    def close(self) -> None:
        with self._lock:
            self._close()

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """The connection. A step that finds the file damaged is to be repeated: on a new one."""
        try:
            if self._db is None:
                self._db = self._open()
            yield self._db
        except sqlite3.Error as exc:
            self._close()
            if getattr(exc, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
                log.warning("handled-events-lost", path=str(self._path), reason=str(exc))
                self._remove()
            raise TransientError(f"the ids of handled events in {self._path}: {exc}") from exc

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=2.0, check_same_thread=False)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")  # an id that was added survives a power cut
        db.execute(_SCHEMA)
        return db

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):  # an old WAL beside a new file would be replayed into it
            with contextlib.suppress(OSError):
                self._path.with_name(self._path.name + suffix).unlink()

    def _close(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(sqlite3.Error):  # a damaged file may refuse its last checkpoint
                db.close()
