"""A process that fits: ``python -m driftloop.backtest.worker FOLDER``. All user code of a backtest runs in such processes.

FOLDER holds the rows and the project as a training job has them. One task a line comes in on the standard input, one answer a line
goes out; the process ends with its parent, whose end of the input closes. The parent sets hash seed and thread counts.
"""

import os
import sys
import warnings
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Part, Time
from driftloop.contracts.windows import WindowPlan
from driftloop.errors import UserError
from driftloop.project.reading import open_archive
from driftloop.project.recipes import parse_recipe
from driftloop.project.rules import Monitoring, Policy
from driftloop.training.fit import TrainingRows
from driftloop.training.job import PROJECT_FILE, ROWS_FILE
from driftloop.training.recipe_fits import RecipeFits
from driftloop.training.user_code import call, load_build
from driftloop.training.version_profile import version_profile

PLAN_FILE = "windows.json"  # of the backtest, which may be others than the project's


class ProfileRules(Part, frozen=True, kw_only=True):
    """What a profile depends on beside its model: of the policy that is run, not of the project that the worker was given."""

    monitoring: Monitoring
    policy: Policy


class Task(Part, frozen=True, kw_only=True):
    """Fit one member on the rows before ``end``, and keep what it says of all rows from there on in ``file``; or, ``within``, on half of
    the split keys of the window that ends there, and keep what it says of that window; or fit a recipe, and keep its ``profile``."""

    recipe: str
    end: Time
    file: str
    profile: ProfileRules | None = None
    within: bool = False


class Answer(Part, frozen=True, kw_only=True):
    """``error``: why there is no such fit, in words for a person."""

    rows: int = 0
    error: str | None = None


class Fitter:
    """One project's rows, and the fits that are asked for."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._project = open_archive((folder / PROJECT_FILE).read_bytes())
        with pa.memory_map(str(folder / ROWS_FILE)) as source:
            self._rows = TrainingRows(pa.ipc.open_file(source).read_all(), self._project)
        self._build = load_build(self._project.files, folder / f"project-{os.getpid()}")
        self._plan = msgspec.json.decode((folder / PLAN_FILE).read_bytes(), type=prepared(WindowPlan))
        self._threads = threads

    def do(self, task: Task) -> Answer:
        try:
            return Answer(rows=self._fit(task) if task.profile is None else self._profile(task, task.profile))
        except UserError as exc:
            return Answer(error=str(exc))
        except MemoryError:
            return Answer(error="not enough memory to train")

    def _fit(self, task: Task) -> int:
        project, rows = self._project, self._rows
        fits = RecipeFits(self._build, rows, self._plan, seed=project.training.seed, threads=self._threads)
        member = parse_recipe(task.recipe)
        model = fits.fit(member, task.end, within=task.within)
        told = fits.mask(member, task.end) if task.within else ~rows.between(None, task.end)
        output = call("scoring", lambda: rows.output(model, told))
        arrays: dict[str, Any] = {"scores": output.scores}
        if output.probabilities is not None:
            arrays = {"probabilities": output.probabilities, "classes": np.array(output.classes)}
        if not all(np.isfinite(values).all() for name, values in arrays.items() if name != "classes"):
            raise UserError("the model gives scores that are not finite numbers")
        unfinished = Path(task.file).with_suffix(f".{os.getpid()}.tmp.npz")
        np.savez(unfinished, **arrays)
        unfinished.replace(task.file)
        return rows.fitted(fits.mask(member, task.end))

    def _profile(self, task: Task, rules: ProfileRules) -> int:
        rows, recipe = self._rows, parse_recipe(task.recipe)
        project = msgspec.structs.replace(self._project, windows=self._plan, monitoring=rules.monitoring, policy=rules.policy)
        fits = RecipeFits(self._build, rows, self._plan, seed=project.training.seed, threads=self._threads)
        model, mask = fits.fit(recipe, task.end), fits.mask(recipe, task.end)
        held_out = call("scoring", lambda: rows.held_out_output(model, mask))
        profile = version_profile(project, rows, mask, held_out, model, project.training.seed)
        unfinished = Path(task.file).with_suffix(f".{os.getpid()}.tmp")
        unfinished.write_bytes(profile.encode())
        unfinished.replace(task.file)
        return rows.fitted(mask)


def main() -> None:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a pipeline prints is no answer
    warnings.simplefilter("ignore")  # a pipeline's warnings are for its author
    fitter = Fitter(Path(sys.argv[1]), int(sys.argv[2]))
    for line in sys.stdin.buffer:
        answers.write(msgspec.json.encode(fitter.do(msgspec.json.decode(line, type=prepared(Task)))) + b"\n")
    os._exit(0)  # threads of the user's code must not hold up the end


if __name__ == "__main__":
    main()
