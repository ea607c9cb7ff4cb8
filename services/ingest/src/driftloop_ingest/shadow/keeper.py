"""The process that scores for a challenger lives while there is one: started, watched and ended by the ingest that keeps it."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any

from driftloop import metrics
from driftloop.contracts.services import INGEST
from driftloop.project.model import Project
from driftloop.registry.fold import RegistryReader
from driftloop.settings import Environment
from driftloop.supervised import SupervisedThread
from driftloop.telemetry import get_logger
from driftloop_ingest.shadow.progress import Progress, decode_progress

LOOK_SECONDS = 0.5
DRAIN_SECONDS = 8.0  # then it is killed: the next one goes on from the table
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0  # before one that ended by itself is started again
LONG_LIFE_SECONDS = 60.0  # after which an end is not another failure in a row

log = get_logger(__name__)


class ShadowKeeper:
    """Nothing runs, and nothing is paid, while the registry's log names no challenger."""

    def __init__(self, project: Project, reader: RegistryReader, instance: str) -> None:
        self._project, self._reader, self._instance = project, reader, instance
        self._child: subprocess.Popen[bytes] | None = None
        self._progress = Progress()
        self._counted = Progress()
        self._started = self._not_before = 0.0
        self._failures = self.restarts = 0
        self._exit: int | None = None
        self.thread = SupervisedThread("shadow", self._step)

    def start(self) -> "ShadowKeeper":
        self.thread.start()
        return self

    def stop(self) -> None:
        self.thread.stop()
        self._end()

    def status(self) -> dict[str, Any] | None:
        """None while there is no challenger."""
        child = self._child
        if child is None and not self._wanted():
            return None
        told = self._progress
        return {
            "pid": None if child is None else child.pid,
            "version": told.version,
            "epoch": told.epoch,
            "lag_seconds": round(told.lag_seconds, 1),
            "rows": told.rows,
            "unscored": told.unscored,
            "passed_over": told.passed_over,
            "restarts": self.restarts,
            "last_error": told.last_error or (None if self._exit in (None, 0) else f"its process ended with {self._exit}; see the log"),
        }

    def _wanted(self) -> bool:
        model = self._reader.state().model(self._project.model)
        return model is not None and model.challenger is not None

    def _step(self) -> None:
        wanted, child = self._wanted(), self._child
        if child is not None and child.poll() is not None:
            self._ended(child)
        elif child is not None and not wanted:
            self._end()
            log.info("shadow-ended", model=self._project.model)
        elif child is None and wanted and time.monotonic() >= self._not_before:
            self._begin()
        self.thread.wait(LOOK_SECONDS)

    def _begin(self) -> None:
        command = [sys.executable, "-m", "driftloop_ingest.shadow"]
        child = subprocess.Popen(command, env=self._environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        assert child.stdout is not None
        self._child, self._started = child, time.monotonic()
        self._progress = self._counted = Progress()
        threading.Thread(target=self._listen, args=(child, child.stdout), name="shadow-progress", daemon=True).start()
        log.info("shadow-started", model=self._project.model, pid=child.pid)

    def _environment(self) -> Mapping[str, str]:
        """Its settings are ingest's, under a name of its own: its cache of the log, its clients."""
        prefix = Environment(INGEST.name).prefix
        named = {f"{prefix}INSTANCE": f"{self._instance}-shadow", f"{prefix}PROJECT": self._project.name}
        return {**os.environ, **named, "OMP_NUM_THREADS": "1"}

    def _listen(self, child: "subprocess.Popen[bytes]", told: IO[bytes]) -> None:
        for line in told:
            progress = decode_progress(line)
            if progress is not None and child is self._child:
                self._take(progress)

    def _take(self, progress: Progress) -> None:
        before, self._progress = self._counted, progress
        self._counted = progress
        model = self._project.model
        metrics.SHADOW_LAG.labels(model).set(progress.lag_seconds)
        metrics.SHADOW_ROWS.labels(model).inc(max(0, progress.rows - before.rows))
        for why, count in progress.passed_over.items():
            metrics.SHADOW_PASSED_OVER.labels(model, why).inc(max(0, count - before.passed_over.get(why, 0)))

    def _ended(self, child: "subprocess.Popen[bytes]") -> None:
        """By itself, or killed: another one, after a pause that grows."""
        self._failures = 0 if time.monotonic() - self._started > LONG_LIFE_SECONDS else self._failures
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0**self._failures)
        self._child, self._exit, self._not_before = None, child.returncode, time.monotonic() + pause
        self._failures, self.restarts = min(self._failures + 1, 10), self.restarts + 1
        log.warning("shadow-died", model=self._project.model, code=child.returncode, pause_seconds=pause)

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        assert child.stdin is not None
        with suppress(OSError):
            child.stdin.close()
        try:
            child.wait(DRAIN_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        metrics.SHADOW_LAG.labels(self._project.model).set(0)
