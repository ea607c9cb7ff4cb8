"""Which of a project's recipes goes on, by the rows of the newest labelled window that choose. Backtest and training run ask here.

Recipes are fitted on what came before the window and compared on it. ``newest`` is fitted within it as well, on half of its split keys,
and compared on others with the one that won: after an abrupt change nothing that came before is of use. But it knows this window and
will have to answer for the next one. What that costs is known from earlier runs, and taken off: by how much the same recipe was worse
when it was a window older. Where prices move all the time, that is most of what it seems to gain.
"""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import NamedTuple

import msgspec

from driftloop.contracts.values import CandidateResult, WithinWindow
from driftloop.errors import UserError
from driftloop.project.model import Project
from driftloop.project.recipes import parse_recipe
from driftloop.statistics.metrics import ModelOutput
from driftloop.training.candidates import choose
from driftloop.training.judging import JudgedRows

AGED_KEPT = 5  # runs: a median of as many is not moved by one change
Aged = Mapping[str, Sequence[float]]  # by recipe: ``WithinWindow.aged``

Output = Callable[[str, bool], ModelOutput]  # what a recipe says of all rows of the window, fitted before or within it. Raises UserError
Told = Callable[[CandidateResult], CandidateResult]


class Chosen(NamedTuple):
    """``output``: what the recipe says of the window's rows; ``rows``: with those that may judge it."""

    recipe: str
    output: ModelOutput
    rows: JudgedRows


class Choosing:
    """One run's window. ``aged``: of earlier runs. ``told``: called with each result as it comes; it may add what is only known where
    the fits are made."""

    def __init__(self, project: Project, rows: JudgedRows, output: Output, aged: Aged, told: Told = lambda result: result) -> None:
        self._project, self._rows, self._output, self._aged, self._told = project, rows, output, aged, told
        self._said: dict[str, ModelOutput] = {}
        self.results: tuple[CandidateResult, ...] = ()

    def choose(self) -> Chosen | None:
        """None where no recipe could be measured; ``results`` say why. Recipes that cannot be fitted are results, too."""
        training, rows = self._project.training, self._rows
        found = {recipe: self._before(recipe) for recipe in training.candidates}
        best = choose(list(found.values()), training.margin, self._project.task_metric)
        chosen = None if best is None else Chosen(best.recipe, self._said[best.recipe], rows)
        for recipe in training.candidates:
            if parse_recipe(recipe).inside:
                within, said = self._within(recipe, chosen)
                found[recipe] = msgspec.structs.replace(found[recipe], within=within)
                if said is not None and self._is_worth_it(within, self._aged.get(recipe, ())):
                    chosen = Chosen(recipe, said, rows.apart())
        self.results = tuple(map(self._told, found.values()))
        return chosen

    def _is_worth_it(self, found: WithinWindow, earlier: Sequence[float]) -> bool:
        """Better than the one beside it by the margin when it is a window old. Where no run before has measured what that takes, the
        rows at hand say it."""
        expected = earlier or found.aged
        if found.metric is None or found.beside is None or not expected:
            return False
        gain = self._project.task_metric.gain(found.metric, found.beside)
        return gain - max(0.0, median(expected)) >= self._project.training.margin

    def _before(self, recipe: str) -> CandidateResult:
        metric, error, of = None, None, self._project.task_metric
        try:
            said = self._said[recipe] = self._output(recipe, False)
            metric = self._rows.choosing_value(of, said)
            error = self._rows.why_undefined(of, said) if metric is None else None
        except UserError as exc:
            error = str(exc)
        return CandidateResult(recipe=recipe, rows=0, metric=metric, seconds=0.0, error=error)

    def _within(self, recipe: str, chosen: Chosen | None) -> tuple[WithinWindow, ModelOutput | None]:
        """What is fitted on half of the window's keys, beside the one that was chosen and beside itself of one window ago."""
        rows, of, aged = self._rows.apart(), self._project.task_metric, tuple(self._aged.get(recipe, ()))
        try:
            said = self._output(recipe, True)
        except UserError:
            return WithinWindow(metric=None, beside=None, aged=aged), None
        metric = rows.choosing_value(of, said)
        beside = rows.choosing_value(of, chosen.output) if chosen else None
        older = rows.choosing_value(of, self._said[recipe]) if recipe in self._said else None
        if metric is not None and older is not None:
            aged = (*aged, of.gain(metric, older))[-AGED_KEPT:]
        return WithinWindow(metric=metric, beside=beside, aged=aged), said


def aged(results: Sequence[CandidateResult]) -> dict[str, tuple[float, ...]]:
    """What the next run must know."""
    return {result.recipe: result.within.aged for result in results if result.within is not msgspec.UNSET}
