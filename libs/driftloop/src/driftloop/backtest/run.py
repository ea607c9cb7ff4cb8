"""A backtest from rows to report: fits, policies side by side, and what hindsight would have done."""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np

from driftloop.artifact.scoring import target_values
from driftloop.backtest.fits import Fits
from driftloop.backtest.loop import Loop, PolicyResult, Windows
from driftloop.backtest.oracle import best_timing
from driftloop.backtest.served import served_elsewhere
from driftloop.backtest.windows import equal_windows, windows_with_rows
from driftloop.contracts.values import Part, Window
from driftloop.datafile.rows import Rows
from driftloop.errors import UserError
from driftloop.project.model import Project
from driftloop.project.recipes import parse_recipe
from driftloop.statistics.intervals import value

Progress = Callable[[str, int, int], None]  # doing what, done, of how many


class BacktestReport(Part, frozen=True, kw_only=True):
    """``windows``: those that were scored, which are all but the first that the first version was fitted on. ``served``: what another
    system answered on them, of the lake of a model that is served elsewhere."""

    project: str
    metric: str
    greater_is_better: bool
    rows: int
    unlabelled: int
    windows: tuple[Window, ...]
    policies: tuple[PolicyResult, ...]
    served: PolicyResult | None = None


def backtest(
    policies: Sequence[tuple[str, Project]],
    rows: Rows,
    cache: Path,
    *,
    oracle: bool = False,
    processes: int | None = None,
    progress: Progress = lambda _doing, _done, _of: None,
) -> BacktestReport:
    """``policies``: names, and the same project under each one's rules. ``cache``: a folder where fits are kept.

    Raises UserError for rows that cannot be backtested on, and where nothing could be fitted.
    """
    project = policies[0][1]
    plan = project.windows if project.backtest.windows is None else equal_windows(rows.table, project.backtest.windows)
    windows, first = windows_with_rows(rows.table, plan), project.backtest.first
    if len(windows) < first + 2:
        raise UserError(
            f"the rows fall into {len(windows)} windows; a first version of {first} windows and two to score it on need {first + 2}: "
            "declare shorter windows in [windows], or write [backtest] windows = 20 for as many of equally many rows"
        )
    by_window = Windows(project, rows.table, target_values(rows.table.column("label"), project.schema))
    judged = windows[first:]
    recipes = [text for _, of in policies for text in of.training.candidates]
    with TemporaryDirectory(prefix="driftloop-backtest-") as folder:
        fits = Fits(project, plan, rows.table, Path(folder), cache, processes=processes)
        fits.prepare_for(recipes, judged, lambda done, of: progress("fits", done, of))
        results = [
            Loop(of, by_window, windows, first, fits).run(name, lambda done, total, name=name: progress(name, done, total))  # type: ignore[misc]
            for name, of in policies
        ]
        if oracle:
            results = [_with_regret(result, of, fits, by_window, judged) for result, (_, of) in zip(results, policies, strict=True)]
    return BacktestReport(
        project=project.name,
        metric=project.metric,
        greater_is_better=project.task_metric.metric.greater_is_better,
        rows=rows.table.num_rows,
        unlabelled=rows.unlabelled,
        windows=tuple(judged),
        policies=tuple(results),
        served=None if rows.served is None else served_elsewhere(project, rows.served, judged),
    )


def _with_regret(result: PolicyResult, project: Project, fits: Fits, rows: Windows, judged: Sequence[Window]) -> PolicyResult:
    """How far the policy stays behind the best timing of its own recipes with as many promotions; above 0: behind."""
    recipes = project.training.candidates
    scores = {text: recipe_scores(text, project, fits, rows, judged) for text in recipes}
    metric = project.task_metric
    best = best_timing(scores, result.steps[0].recipe, result.promotions, greater_is_better=metric.metric.greater_is_better)
    if result.mean_score is None or not np.isfinite(best.mean):
        return result
    return msgspec.structs.replace(result, regret=metric.gain(best.mean, result.mean_score))


def recipe_scores(text: str, project: Project, fits: Fits, rows: Windows, judged: Sequence[Window]) -> "np.typing.NDArray[np.float64]":
    """[f, w]: the recipe fitted on all before window f, on window w; NaN where it is not defined, or w comes before f."""
    recipe, metric = parse_recipe(text), project.task_metric
    found = np.full((len(judged), len(judged)), np.nan)
    for w, window in enumerate(judged):
        labels = rows.judged(window, 1).labels
        for f in range(w + 1):
            try:
                known = value(metric, labels, fits.output(recipe, judged[f].start, window.start, window.end))
            except UserError:
                known = None
            found[f, w] = np.nan if known is None else known
    return found
