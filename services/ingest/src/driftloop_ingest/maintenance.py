"""Looking after the lake while it fills: small files are merged, and deleted once nobody names them any more; old entries of
the log are archived.

In a thread of its own, on handles of its own, so that no flush waits for it. The group decides whose turn it is: the
owner of the first partition. While that changes hands two may be at work at once, which only costs them a retry.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from driftloop import metrics
from driftloop.contracts.events import TABLES
from driftloop.errors import ConfigurationError, IntegrityError, ObjectNotFound, TransientError
from driftloop.lake.compaction_plan import CompactionRules
from driftloop.lake.log_archive import archive_log
from driftloop.lake.maintenance import compact
from driftloop.lake.table import LakeTable
from driftloop.lake.vacuum import clean
from driftloop.ports import ObjectStore
from driftloop.rows.schemas import SHADOW
from driftloop.service.process import Stop
from driftloop.telemetry import get_logger
from driftloop_ingest.settings import UpkeepTimes

RULES = CompactionRules()
LOOKED_AFTER = (*TABLES, SHADOW)

log = get_logger(__name__)


class Upkeep:
    """``turn`` says whether this instance is the one; asked before each pass, from the upkeep's own thread."""

    def __init__(self, open_table: Callable[[str], LakeTable], store: ObjectStore, times: UpkeepTimes, *, turn: Callable[[], bool]) -> None:
        self._open_table, self._store, self._times, self._turn = open_table, store, times, turn
        self._tables: dict[str, LakeTable] = {}
        self._damaged: dict[str, set[str]] = {table: set() for table in LOOKED_AFTER}  # files, which are not fetched again at each pass
        works = (
            ("compact", times.compact_seconds, self._compact),
            ("clean", times.clean_seconds, self._clean),
            ("archive", times.clean_seconds, self._archive),
        )
        self._works = [(name, seconds, work) for name, seconds, work in works if seconds > 0]
        self._due = {name: time.monotonic() + seconds for name, seconds, _ in self._works}

    def start(self, stop: Stop) -> None:
        """Go on until a stop is requested; the process does not wait for a pass: it may end anywhere."""
        if self._works:
            threading.Thread(target=self._run, args=(stop,), name="upkeep", daemon=True).start()

    def _run(self, stop: Stop) -> None:
        while not stop.wait(max(0.0, min(self._due.values()) - time.monotonic())):
            for name, seconds, work in self._works:
                if self._due[name] <= time.monotonic():
                    if self._turn():
                        for table in LOOKED_AFTER:
                            self._pass(name, table, work)
                    self._due[name] = time.monotonic() + seconds

    def _pass(self, name: str, table: str, work: Callable[[LakeTable], None]) -> None:
        outcome = "failed"
        try:
            if table not in self._tables:
                try:
                    self._tables[table] = self._open_table(table)
                except ObjectNotFound:  # a stream that never had a challenger
                    return
            work(self._tables[table])
            outcome = "done"
        except TransientError as exc:
            log.warning("upkeep-postponed", table=table, work=name, reason=str(exc))
            outcome = "postponed"
        except (IntegrityError, ConfigurationError) as exc:
            log.error("upkeep-failed", table=table, work=name, reason=str(exc))
        except Exception as exc:  # rows must come in whatever is wrong with upkeep; counted, shown, tried again
            log.error("upkeep-failed", table=table, work=name, reason=repr(exc), exc_info=True)
        metrics.UPKEEP.labels(table, name, outcome).inc()

    def _compact(self, table: LakeTable) -> None:
        done = compact(table, self._store, RULES, set_aside=self._damaged[table.table])
        metrics.LAKE_FILES.labels(table.table).set(done.files_after)

    def _clean(self, table: LakeTable) -> None:
        self._damaged[table.table].clear()  # somebody may have restored them
        clean(table, self._store, grace=self._times.grace, now=lambda: datetime.now(UTC))

    def _archive(self, table: LakeTable) -> None:
        archive_log(table, self._store, keep=self._times.keep_log, now=datetime.now(UTC))
