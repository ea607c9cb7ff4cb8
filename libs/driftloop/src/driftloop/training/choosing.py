"""Which of a project's recipes goes on, by the rows of the newest labelled window that choose. Backtest and training run ask here.

Recipes are fitted on what came before the window and compared on it. ``newest`` is fitted within it as well, on half of its split keys,
and compared on others with the one that won before it: after an abrupt change nothing that came before is of use. But it knows this
window and will have to answer for the next one. What that costs is known from earlier runs, and taken off: by how much the same recipe
was worse when it was a window older. Where prices move all the time, that is most of what it seems to gain.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from driftloop.contracts.candidates import CandidateResult, WithinWindow
from driftloop.errors import UserError
from driftloop.project.model import Project
from driftloop.project.recipes import parse_recipe
from driftloop.statistics.metrics import ModelOutput
from driftloop.training.candidates import choose
from driftloop.training.judging import JudgedRows, Mask

AGED_KEPT = 5  # runs
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
    the fits are made. ``unseen``: the window's rows that the champion was not fitted on, which alone can judge; None: all."""

    def __init__(
        self,
        project: Project,
        rows: JudgedRows,
        output: Output,
        aged: Aged,
        told: Told = lambda result: result,
        *,
        unseen: Mask | None = None,
    ) -> None:
        self._project, self._rows, self._output, self._told = project, rows, output, told
        self._aged = {recipe: tuple(known)[-AGED_KEPT:] for recipe, known in aged.items()}
        self._unseen = np.ones(len(rows.labels), dtype=bool) if unseen is None else unseen
        self._said: dict[str, ModelOutput] = {}
        self.results: tuple[CandidateResult, ...] = ()

    def choose(self) -> Chosen | None:
        """None where no recipe could be measured; ``results`` say why. Recipes that cannot be fitted are results, too."""
        training, rows = self._project.training, self._rows
        found = {recipe: self._before(recipe) for recipe in training.candidates}
        best = choose(list(found.values()), training.margin, self._project.task_metric)
        before = None if best is None else Chosen(best.recipe, self._said[best.recipe], rows)
        most, taken = training.margin, before
        for recipe in training.candidates:
            if parse_recipe(recipe).inside:
                within, said = self._within(recipe, before)
                found[recipe] = msgspec.structs.replace(found[recipe], within=within)
                worth = self._worth(within, self._aged.get(recipe, ()))
                if said is None or worth is None or not self._can_be_judged(said):
                    continue
                if worth > most or (worth == most and taken is before):  # of equals the one that is declared first
                    most, taken = worth, Chosen(recipe, said, rows.apart())
        self.results = tuple(map(self._told, found.values()))
        return taken

    def _worth(self, found: WithinWindow, earlier: Sequence[float]) -> float | None:
        """By how much it is better than the one beside it when it is a window old. Where no run before has measured what that takes,
        the rows at hand say it. None: it is not known."""
        expected = earlier or found.aged
        if found.metric is None or found.beside is None or not expected:
            return None
        gain = self._project.task_metric.gain(found.metric, found.beside)
        return gain - max(0.0, cost_of_age(expected))

    def _can_be_judged(self, said: ModelOutput) -> bool:
        """On as many rows as the gate wants, with a metric that is defined there. Otherwise the gate would refuse it whatever it is
        worth, and the one from before, which twice as many rows judge, would not be measured."""
        rows = self._rows.apart()
        judges = rows.judges & self._unseen
        if int(judges.sum()) < self._project.promotion.min_rows:
            return False
        return rows._replace(chooses=judges).choosing_value(self._project.task_metric, said) is not None

    def _before(self, recipe: str) -> CandidateResult:
        metric, error, of = None, None, self._project.task_metric
        try:
            said = self._said[recipe] = self._output(recipe, False)
            metric = self._rows.choosing_value(of, said)
            error = self._rows.why_undefined(of, said) if metric is None else None
        except UserError as exc:
            error = str(exc)
        return CandidateResult(recipe=recipe, rows=0, metric=metric, seconds=0.0, error=error)

    def _within(self, recipe: str, before: Chosen | None) -> tuple[WithinWindow, ModelOutput | None]:
        """What is fitted on half of the window's keys, beside the one that was chosen before it and beside itself of one window ago."""
        rows, of, aged = self._rows.apart(), self._project.task_metric, self._aged.get(recipe, ())
        try:
            said = self._output(recipe, True)
        except UserError as exc:
            return WithinWindow(metric=None, beside=None, aged=aged, error=str(exc)), None
        metric = rows.choosing_value(of, said)
        beside = rows.choosing_value(of, before.output) if before else None
        older = rows.choosing_value(of, self._said[recipe]) if recipe in self._said else None
        if metric is not None and older is not None:
            aged = (*aged, of.gain(metric, older))[-AGED_KEPT:]
        return WithinWindow(metric=metric, beside=beside, aged=aged), said


def cost_of_age(known: Sequence[float]) -> float:
    """What a window of age costs, at worst but for one: of runs that know of at least three the largest but one, so that a single change
    is no rule; of fewer the largest. A middle one would be exceeded by every second window of a stream whose days differ."""
    largest = sorted(known, reverse=True)
    return largest[1] if len(largest) >= 3 else largest[0]


def aged(results: Sequence[CandidateResult]) -> dict[str, tuple[float, ...]]:
    """What the next run must know."""
    return {result.recipe: result.within.aged for result in results if result.within is not msgspec.UNSET}
