"""The registry's state as SQLite tables, for people and their tools. A view: delete it and it comes back the same."""

import contextlib
import itertools
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from driftloop.contracts.typed import prepared
from driftloop.registry.entries import Entries
from driftloop.registry.state import (
    Alias,
    ApprovalStatus,
    LogEntry,
    ModelVersion,
    ProjectRef,
    RecalibrationRecord,
    RefusedRun,
    RegistryState,
    content_digest,
)
from driftloop.registry.view import ViewBroken, ViewUnavailable

# One truth per row, ``content`` (canonical JSON); the other columns are read out of it, so they cannot contradict it.
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE projects (model TEXT PRIMARY KEY, content TEXT NOT NULL,
    project TEXT AS (content ->> '$.project'), stream TEXT AS (content ->> '$.stream'), archive TEXT AS (content ->> '$.archive'));
CREATE TABLE versions (model TEXT, version INTEGER, content TEXT NOT NULL,
    request_id TEXT AS (content ->> '$.request_id'), manifest TEXT AS (content ->> '$.manifest'),
    registered_at TEXT AS (content ->> '$.registered_at'), PRIMARY KEY (model, version));
CREATE TABLE aliases (model TEXT, name TEXT, content TEXT NOT NULL,
    version INTEGER AS (content ->> '$.version'), epoch INTEGER AS (content ->> '$.epoch'),
    since TEXT AS (content ->> '$.since'), PRIMARY KEY (model, name));
CREATE TABLE standings (model TEXT, version INTEGER, content TEXT NOT NULL,
    state TEXT AS (content ->> '$.state'), since TEXT AS (content ->> '$.since'), actor TEXT AS (content ->> '$.by'),
    reason TEXT AS (content ->> '$.reason'), PRIMARY KEY (model, version));
CREATE TABLE refused_runs (model TEXT, request_id TEXT, content TEXT NOT NULL,
    problem TEXT AS (content ->> '$.problem'), PRIMARY KEY (model, request_id));
CREATE TABLE recalibrations (model TEXT, epoch INTEGER, content TEXT NOT NULL, version INTEGER AS (content ->> '$.version'),
    champion_epoch INTEGER AS (content ->> '$.champion_epoch'), kind TEXT AS (content ->> '$.recalibration.kind'),
    since TEXT AS (content ->> '$.since'), actor TEXT AS (content ->> '$.by'), reason TEXT AS (content ->> '$.reason'),
    PRIMARY KEY (model, epoch));
CREATE TABLE refusals (chain TEXT NOT NULL);
CREATE TABLE commands (log_offset INTEGER PRIMARY KEY, content TEXT NOT NULL,
    model TEXT AS (content ->> '$.model'), type TEXT AS (content ->> '$.type'), at TEXT AS (content ->> '$.at'),
    actor TEXT AS (content ->> '$.actor'), accepted INTEGER AS (content ->> '$.outcome.accepted'),
    outcome TEXT AS (content ->> '$.outcome.reason'));
INSERT INTO meta VALUES ('next_offset', 0);
INSERT INTO refusals VALUES ('');
"""
_NOT_ITS_FAULT = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL}  # somebody reads; the disk is full: wait


T = TypeVar("T", bound=msgspec.Struct)


class RegistryView:
    """Keeps ``registry.view.StateView``: one SQLite file (WAL); the offset is written in the state's transaction."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._inode = 0
        self._written = RegistryState()

    def write(self, state: RegistryState) -> None:
        """Bring the tables to ``state``, which follows the one written before. Raises ViewBroken, ViewUnavailable."""
        with self._lock, self._translated():
            db = self._usable()
            if state is self._written:
                return
            with db:
                db.execute("BEGIN IMMEDIATE")
                _write_difference(db, self._written, state)
            self._written = state

    def digest(self) -> tuple[int, str]:
        """Offset and digest of what the tables hold, read back in full. Raises ViewBroken, ViewUnavailable."""
        with self._lock, self._translated():
            self._usable()
            # a connection of its own: the one that writes keeps pages in memory and would not see what is on the disk
            with contextlib.closing(sqlite3.connect(self.path, isolation_level=None, timeout=2.0)) as db:
                db.execute("BEGIN")
                if db.execute("PRAGMA quick_check").fetchone()[0] != "ok":
                    raise ViewBroken("quick_check finds damage")
                return _read_digest(db)

    def recreate(self, state: RegistryState) -> None:
        """Throw the file away, whatever it is, and write ``state`` into a new one. Raises ViewUnavailable."""
        with self._lock, self._translated():
            self._close()
            self._written = RegistryState()
            for suffix in ("", "-wal", "-shm"):  # an old WAL beside a new file would be replayed into it
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            db = self._open()
            with db:
                db.execute("BEGIN IMMEDIATE")
                _write_difference(db, RegistryState(), state)
            self._written = state

    def close(self) -> None:
        with self._lock:
            self._close()

    def _usable(self) -> sqlite3.Connection:
        if self._db is None:
            raise ViewBroken("not made by this process")
        try:
            inode = self.path.stat().st_ino
        except FileNotFoundError:
            inode = 0
        if inode != self._inode:  # SQLite itself would go on writing into the deleted file
            raise ViewBroken("the file was deleted or replaced")
        return self._db

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=2.0)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")  # the log is the truth: a lost tail is written again
        db.executescript(_SCHEMA)
        self._db, self._inode = db, self.path.stat().st_ino
        return db

    def _close(self) -> None:
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):  # a damaged file may refuse its last checkpoint
                self._db.close()
        self._db = None

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
            raise (ViewUnavailable if code in _NOT_ITS_FAULT else ViewBroken)(str(exc)) from exc
        except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
            raise ViewBroken(f"unreadable content: {exc}") from exc
        except OSError as exc:
            raise ViewUnavailable(str(exc)) from exc


def _write_difference(db: sqlite3.Connection, old: RegistryState, new: RegistryState) -> None:
    for name, model in new.models.items():
        before = old.models.get(name)
        if model is before:
            continue
        if model.project is not None and (before is None or model.project != before.project):
            db.execute("INSERT OR REPLACE INTO projects VALUES (?, ?)", (name, _text(model.project)))
        known = len(before.versions) if before else 0
        db.executemany("INSERT INTO versions VALUES (?, ?, ?)", ((name, v.version, _text(v)) for v in model.versions[known:]))
        moved = [alias for key, alias in model.aliases.items() if before is None or before.aliases.get(key) != alias]
        db.executemany("INSERT OR REPLACE INTO aliases VALUES (?, ?, ?)", ((name, a.name, _text(a)) for a in moved))
        old_standings = before.standings if before else {}
        said = [s for n, s in model.standings.items() if old_standings.get(n) != s]
        db.executemany("INSERT OR REPLACE INTO standings VALUES (?, ?, ?)", ((name, s.version, _text(s)) for s in said))
        ended = old_standings.keys() - model.standings.keys()
        db.executemany("DELETE FROM standings WHERE model = ? AND version = ?", ((name, n) for n in ended))
        known = len(before.refused_runs) if before else 0
        runs = itertools.islice(model.refused_runs.values(), known, None)
        db.executemany("INSERT INTO refused_runs VALUES (?, ?, ?)", ((name, run.request_id, _text(run)) for run in runs))
        records = itertools.islice(model.recalibrations.values(), before.recalibration_epoch if before else 0, None)
        db.executemany("INSERT INTO recalibrations VALUES (?, ?, ?)", ((name, r.epoch, _text(r)) for r in records))
        _write_entries(db, before.history if before else Entries(), model.history, old.next_offset)
    _write_entries(db, old.strays, new.strays, old.next_offset)
    db.execute("UPDATE refusals SET chain = ?", (new.answers.refused.chain,))
    db.execute("UPDATE meta SET value = ? WHERE key = 'next_offset'", (new.next_offset,))


def _write_entries(db: sqlite3.Connection, old: Entries, new: Entries, since: int) -> None:
    """The commands behind ``since``, and no longer those that are remembered no more."""
    added = itertools.takewhile(lambda entry: entry.offset >= since, new.newest())
    db.executemany("INSERT INTO commands VALUES (?, ?)", ((entry.offset, _text(entry)) for entry in added))
    if old.refused and new.refused[0].offset > old.refused[0].offset:
        gone = itertools.takewhile(lambda entry: entry.offset < new.refused[0].offset, old.refused)
        db.executemany("DELETE FROM commands WHERE log_offset = ?", ((entry.offset,) for entry in gone))


def _read_digest(db: sqlite3.Connection) -> tuple[int, str]:
    found = db.execute("SELECT value FROM meta WHERE key = 'next_offset'").fetchone()
    chain = db.execute("SELECT chain FROM refusals").fetchone()
    if found is None or chain is None:
        raise ViewBroken("no offset")
    models = [str(row[0]) for row in db.execute("SELECT model FROM aliases ORDER BY model, name")]
    aliases = _contents(db, "aliases ORDER BY model, name", Alias)
    recalibrated = [str(row[0]) for row in db.execute("SELECT model FROM recalibrations ORDER BY model, epoch")]
    digest = content_digest(
        projects=_contents(db, "projects", ProjectRef),
        versions=_contents(db, "versions", ModelVersion),
        aliases=zip(models, aliases, strict=True),
        standings=_contents(db, "standings", ApprovalStatus),
        refused_runs=_contents(db, "refused_runs", RefusedRun),
        entries=_contents(db, "commands", LogEntry),
        refusals=str(chain[0]),
        next_offset=int(found[0]),
        recalibrations=zip(recalibrated, _contents(db, "recalibrations ORDER BY model, epoch", RecalibrationRecord), strict=True),
    )
    return int(found[0]), digest


def _contents(db: sqlite3.Connection, table: str, kind: type[T]) -> Iterable[T]:
    for (content,) in db.execute(f"SELECT content FROM {table}"):
        yield msgspec.json.decode(content, type=prepared(kind))


def _text(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()
