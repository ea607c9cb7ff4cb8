"""The fits of a backtest: made in parallel processes, kept by what they were made from."""

import hashlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from driftloop.backtest.worker import PLAN_FILE, Answer, ProfileRules, Task
from driftloop.code_version import code_version, without_commit
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Window
from driftloop.contracts.windows import WindowPlan
from driftloop.errors import UserError
from driftloop.project.model import Project
from driftloop.project.recipes import Member, Recipe, parse_recipe
from driftloop.statistics.metrics import ModelOutput
from driftloop.statistics.profile import Profile
from driftloop.training.environment import child_variables
from driftloop.training.job import PROJECT_FILE, ROWS_FILE
from driftloop.training.recipes import micros

MOST_BYTES = 16 * 1024**3  # of what one backtest may put on disk
KEPT_BYTES = 8 * 1024**3  # of fits that are kept for the next one
KINDS = ("npz", "profile")  # of files: answers; profiles
Progress = Callable[[int, int], None]  # done, of how many


class _Fit(NamedTuple):
    recipe: str
    end: datetime
    rules: bytes = b""  # of a profile: ProfileRules as JSON
    within: bool = False  # on half of the split keys of the window that ends there, to answer for that window


class Fits:
    """What members fitted up to a moment say of all later rows.

    ``threads`` of each fit: predictions of most estimators do not depend on their number, so that one thread in each of several
    processes is the better use of a machine.
    """

    def __init__(
        self, project: Project, plan: WindowPlan, table: pa.Table, folder: Path, cache: Path, *, processes: int | None = None
    ) -> None:
        """``plan``: the windows that recipes count by. ``folder``: empty, for this backtest alone. ``cache``: for this and later ones."""
        self._project, self._plan, self._table, self._folder, self._cache = project, plan, table, folder, cache
        self._processes = processes or max(1, os.cpu_count() or 1)
        self._times = table.column("event_time").cast(pa.int64()).to_numpy()
        self._errors: dict[_Fit, str] = {}
        folder.mkdir(parents=True, exist_ok=True)
        cache.mkdir(parents=True, exist_ok=True)
        (folder / PROJECT_FILE).write_bytes(project.archive())
        (folder / PLAN_FILE).write_bytes(msgspec.json.encode(plan))
        with pa.ipc.new_file(str(folder / ROWS_FILE), table.schema) as writer:
            writer.write_table(table)
        self._pins = self._pinned()

    def prepare_for(self, recipes: Iterable[str], judged: Sequence[Window], progress: Progress) -> None:
        """``prepare`` all that a loop over the ``judged`` windows may ask for."""
        parsed = [parse_recipe(text) for text in recipes]
        ends = dict.fromkeys([*(window.start for window in judged), *(window.end for window in judged[:-1])])
        within = [(recipe.members[0], window.end) for window in judged[:-1] for recipe in dict.fromkeys(parsed) if recipe.inside]
        self.prepare([member for recipe in parsed for member in recipe.members], ends, progress, within)

    def prepare(
        self, members: Iterable[Member], ends: Iterable[datetime], progress: Progress, within: Iterable[tuple[Member, datetime]] = ()
    ) -> None:
        """Make the fits that are not there yet: each member up to each end, and those ``within`` windows that end there, on half of
        their split keys. Raises UserError when their answers would not fit on disk, or all of them fail."""
        wanted = [_Fit(str(member), end) for end in ends for member in dict.fromkeys(members)]
        wanted += [_Fit(str(member), end, within=True) for member, end in within]
        missing = [fit for fit in wanted if not self._file(fit).exists()]
        self._check_size(missing)
        for fit in wanted:
            if self._file(fit).exists():
                os.utime(self._file(fit))
        done = len(wanted) - len(missing)
        progress(done, len(wanted))
        for fit, answer in self._run(missing):
            done += 1
            progress(done, len(wanted))
            if answer.error is not None:
                self._errors[fit] = answer.error
        if wanted and len(self._errors) == len(wanted):
            raise UserError(f"no recipe could be fitted: {self._errors[wanted[0]]}")
        self._forget(keep={self._file(fit) for fit in wanted})

    def output(self, recipe: Recipe, end: datetime, start: datetime, until: datetime) -> ModelOutput:
        """What ``recipe``, fitted on rows before ``end``, says of the rows with event time in [start, until), all of them later.

        Raises UserError where one of its members could not be fitted.
        """
        first, low, high = (int(np.searchsorted(self._times, micros(time), side="left")) for time in (end, start, until))
        given = []
        for member in recipe.members:
            fit = _Fit(str(member), end)
            if fit in self._errors:
                raise UserError(f"member {member}: {self._errors[fit]}" if recipe.mean else self._errors[fit])
            with np.load(self._file(fit), allow_pickle=False) as found:
                given.append({name: found[name] if name == "classes" else found[name][low - first : high - first] for name in found.files})
        return mean_output(given, self._project.schema.target.task)

    def within(self, recipe: Recipe, window: Window) -> ModelOutput:
        """``backtest.loop.Answers.within``."""
        fit = _Fit(str(recipe), window.end, within=True)
        if fit in self._errors:
            raise UserError(self._errors[fit])
        with np.load(self._file(fit), allow_pickle=False) as found:
            return mean_output([dict(found)], self._project.schema.target.task)

    def profile(self, recipe: Recipe, end: datetime, rules: ProfileRules) -> Profile:
        """Of ``recipe`` fitted on rows before ``end``. Raises UserError where it cannot be fitted."""
        fit = _Fit(str(recipe), end, msgspec.json.encode(rules, order="deterministic"))
        if not self._file(fit).exists():
            for _, answer in self._run([fit]):
                if answer.error is not None:
                    raise UserError(answer.error)
        return Profile.decode(self._file(fit).read_bytes())

    def _run(self, missing: list[_Fit]) -> Iterable[tuple[_Fit, Answer]]:
        tasks: queue.SimpleQueue[_Fit] = queue.SimpleQueue()
        answers: queue.SimpleQueue[tuple[_Fit, Answer] | BaseException] = queue.SimpleQueue()
        for fit in sorted(missing, key=lambda fit: fit.end, reverse=True):  # the longest first
            tasks.put(fit)
        workers = [_Worker(self._folder, tasks, answers, self._file) for _ in range(min(self._processes, len(missing)))]
        try:
            for _ in missing:
                answer = answers.get()
                if isinstance(answer, BaseException):
                    raise answer
                yield answer
        finally:
            for worker in workers:
                worker.end()

    def _file(self, fit: _Fit) -> Path:
        name = hashlib.sha256(msgspec.json.encode([self._pins, *fit])).hexdigest()
        return self._cache / f"{name}.{KINDS[bool(fit.rules)]}"

    def _pinned(self) -> str:
        """The digest of all that a fit depends on, but for member and end."""
        project = self._project
        rows = hashlib.sha256((self._folder / ROWS_FILE).read_bytes()).hexdigest()
        code = {name: hashlib.sha256(data).hexdigest() for name, data in project.files.items() if name.endswith(".py")}
        here = [sys.version, *(f"{module} {sys.modules[module].__version__}" for module in ("numpy", "sklearn") if module in sys.modules)]
        parts = [
            rows,
            code,
            project.schema,
            project.split_key,
            project.split_salt,
            self._plan,
            project.training.seed,
            here,
            without_commit(code_version()),
        ]
        return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()

    def _check_size(self, missing: list[_Fit]) -> None:
        classes = 1
        if self._project.schema.target.task == "multiclass":
            classes = len(self._table.column("label").unique())
        rows = sum(len(self._times) - int(np.searchsorted(self._times, micros(fit.end))) for fit in missing)
        if (size := rows * classes * 8) > MOST_BYTES:
            raise UserError(
                f"the answers of {len(missing)} fits take {size / 1024**3:.0f} GiB of disk: declare longer windows in [windows], "
                "or [backtest] windows = 50, or fewer candidates"
            )

    def _forget(self, keep: set[Path]) -> None:
        """The oldest of the fits that are not needed now, as far as all take more room than they may."""
        files = sorted((path for kind in KINDS for path in self._cache.glob(f"*.{kind}")), key=lambda path: path.stat().st_mtime)
        total = sum(path.stat().st_size for path in files)
        for path in files:
            if total <= KEPT_BYTES:
                break
            if path not in keep:
                total -= path.stat().st_size
                path.unlink(missing_ok=True)


class _Worker:
    """One process and the thread that feeds it."""

    def __init__(
        self,
        folder: Path,
        tasks: "queue.SimpleQueue[_Fit]",
        answers: "queue.SimpleQueue[tuple[_Fit, Answer] | BaseException]",
        file_of: Callable[[_Fit], Path],
    ) -> None:
        command = [sys.executable, "-m", "driftloop.backtest.worker", str(folder), "1"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=child_variables(1))
        self._tasks, self._answers, self._file_of = tasks, answers, file_of
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._thread.join()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _feed(self) -> None:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            while True:
                fit = self._tasks.get_nowait()
                rules = msgspec.json.decode(fit.rules, type=prepared(ProfileRules)) if fit.rules else None
                task = Task(recipe=fit.recipe, end=fit.end, file=str(self._file_of(fit)), profile=rules, within=fit.within)
                stdin.write(msgspec.json.encode(task) + b"\n")
                stdin.flush()
                line = stdout.readline()
                if not line:
                    code = self._process.wait()
                    raise UserError(f"the process that fitted {fit.recipe} up to {fit.end.isoformat()} ended with code {code}")
                self._answers.put((fit, msgspec.json.decode(line, type=prepared(Answer))))
        except queue.Empty:
            return
        except (OSError, ValueError, UserError) as exc:  # ValueError: a pipe that ``end`` has closed
            self._answers.put(exc if isinstance(exc, UserError) else UserError(f"a fitting process has ended: {exc}"))


def mean_output(given: Sequence[Mapping[str, npt.NDArray[Any]]], task: str) -> ModelOutput:
    """Of one member its answer, of several their mean, as ``artifact.composition`` takes it: added up one after another."""
    if task != "multiclass":
        scores = given[0]["scores"]
        for more in given[1:]:
            scores = scores + more["scores"]
        scores = np.asarray(scores / len(given), dtype=np.float64)
        return ModelOutput(scores >= 0.5 if task == "binary" else scores, scores)
    classes = np.unique(np.concatenate([each["classes"] for each in given]))
    total = np.zeros((len(given[0]["probabilities"]), len(classes)))
    for each in given:
        of_all = np.zeros_like(total)
        of_all[:, np.searchsorted(classes, each["classes"])] = each["probabilities"]
        total = total + of_all
    mean = total / len(given)
    best = mean.argmax(axis=1)
    return ModelOutput(classes[best].astype(object), mean[np.arange(len(best)), best], mean, tuple(map(str, classes)))
