"""A set with all fits that its table of rules is made of."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.loop.rules import Scores
from bench.loop.sets import Set
from driftloop.artifact.scoring import target_values
from driftloop.backtest.fits import Fits
from driftloop.backtest.loop import Loop, PolicyResult, Windows
from driftloop.backtest.oracle import Best, best_timing
from driftloop.backtest.run import recipe_scores
from driftloop.backtest.windows import equal_windows, windows_with_rows
from driftloop.local.paths import cache_dir, default_home
from driftloop.project.recipes import parse_recipe
from driftloop.statistics.metrics import ModelOutput


class Fitted:
    """``windows``: all; ``judged``: those from the first that a model answered for. ``bounds``: the rows at which they begin, and the
    end of the last. ``scores[recipe][f, w]``: see ``rules``."""

    def __init__(self, of: Set, extra: Sequence[str], folder: Path) -> None:
        self.name, self.project, self.table = of
        project = self.project
        plan = project.windows if project.backtest.windows is None else equal_windows(self.table, project.backtest.windows)
        self.windows, self.first = windows_with_rows(self.table, plan), project.backtest.first
        self.judged = self.windows[self.first :]
        self.labels: npt.NDArray[Any] = target_values(self.table.column("label"), project.schema)
        self.rows = Windows(project, self.table, self.labels)
        self.bounds = self._bounds()
        recipes = list(dict.fromkeys([*project.training.candidates, *extra]))
        self.fits = Fits(project, plan, self.table, folder, cache_dir(default_home()) / "backtest")
        self.fits.prepare_for(recipes, self.judged, lambda done, of: sys.stderr.write(f"\r{self.name}: {done} of {of} fits "))
        sys.stderr.write("\n")
        self.scores: dict[str, Scores] = {text: recipe_scores(text, project, self.fits, self.rows, self.judged) for text in recipes}
        self.ours: PolicyResult = Loop(project, self.rows, self.windows, self.first, self.fits).run("ours")

    @property
    def greater_is_better(self) -> bool:
        return self.project.task_metric.metric.greater_is_better

    def oracle(self, promotions: int) -> Best:
        """The best timing in hindsight of the project's own recipes."""
        scores = {text: self.scores[text] for text in self.project.training.candidates}
        return best_timing(scores, self.ours.steps[0].recipe, promotions, greater_is_better=self.greater_is_better)

    def output(self, recipe: str, fitted: int) -> ModelOutput:
        """What the recipe fitted on all before judged window ``fitted`` says of all rows from there on."""
        start = self.judged[fitted].start
        return self.fits.output(parse_recipe(recipe), start, start, self.judged[-1].end)

    def of_window(self, w: int) -> slice:
        """The rows of judged window ``w``; below 0: of those before."""
        starts = self._starts
        return slice(starts[self.first + w], starts[self.first + w + 1])

    def _bounds(self) -> list[int]:
        times = self.table.column("event_time").to_numpy()
        moments = [*(window.start for window in self.windows), self.windows[-1].end]
        self._starts = [int(np.searchsorted(times, np.datetime64(moment.replace(tzinfo=None), "us"))) for moment in moments]
        return self._starts[self.first :]


@contextmanager
def fitted(of: Set, extra: Sequence[str] = ()) -> Iterator[Fitted]:
    """``extra``: recipes beside the candidates. Fits are kept in the backtest's cache."""
    with TemporaryDirectory(prefix="driftloop-bench-loop-") as temporary:
        yield Fitted(of, extra, Path(temporary))
