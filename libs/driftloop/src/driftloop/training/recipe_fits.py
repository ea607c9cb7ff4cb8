"""Recipes fitted: each member by itself, once a run, and what is made of them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from driftloop.artifact.composition import Composition
from driftloop.contracts.windows import WindowPlan
from driftloop.errors import UserError
from driftloop.project.recipes import Member, Recipe
from driftloop.training.fit import Mask, TrainingRows, fit
from driftloop.training.recipes import fit_start, weights
from driftloop.training.user_code import PipelineError, call


class _Key(NamedTuple):
    """What makes two fits one: early in a stream's life "the last five windows" are all there is."""

    weighed: tuple[float, datetime] | None  # the half-life, and when a row has its whole weight
    time: bool
    rows: bytes


class RecipeFits:
    """The fits of one run, with its pipeline, rows, seed and threads. Recipes that share a member share its fit."""

    def __init__(self, build: Callable[[], Any], rows: TrainingRows, plan: WindowPlan, *, seed: int, threads: int) -> None:
        self._build, self._rows, self._plan, self._seed, self._threads = build, rows, plan, seed, threads
        self._fitted: dict[_Key, Any] = {}

    def fit(self, recipe: Recipe, end: datetime, *, within: bool = False) -> Any:
        """The recipe fitted on rows before ``end``: the project's own pipeline, or a Composition. ``within``: on half of their split keys
        alone, so that the others can judge it.

        Raises UserError; of a mean it names the member.
        """
        fitted = tuple(self._member(recipe, member, end, within) for member in recipe.members)
        timed = tuple(member.time for member in recipe.members)
        if not recipe.mean and timed == (False,):
            return fitted[0]
        return Composition(members=fitted, timed=timed, last_time=self._last_time(recipe, end, within))

    def forget(self) -> None:
        """Fits that nobody will ask for again take memory."""
        self._fitted.clear()

    def mask(self, recipe: Recipe | Member, end: datetime, *, within: bool = False) -> Mask:
        """The rows before ``end`` that it is fitted on, or held out from it."""
        mask = self._rows.between(fit_start(recipe, self._plan, end), end)
        return mask & (self._rows.quarter % 2 == 0) if within else mask

    def _member(self, recipe: Recipe, member: Member, end: datetime, within: bool) -> Any:
        mask = self.mask(member, end, within=within)
        key = _Key((member.windows, end) if member.weighted else None, member.time, mask.tobytes())
        if key not in self._fitted:
            try:
                self._fitted[key] = call(f"fitting {member}", lambda: self._new(member, mask, end))
            except UserError as exc:  # as final as a fit: the same code on the same rows
                self._fitted[key] = exc
        found = self._fitted[key]
        if isinstance(found, UserError):
            reason = f"member {member}: {found}" if recipe.mean else str(found)
            raise PipelineError(reason, getattr(found, "detail", "")) from found
        return found

    def _new(self, member: Member, mask: Mask, end: datetime) -> Any:
        weighing = weights(member, self._plan, self._rows.times, end)
        return fit(self._build, self._rows, mask, seed=self._seed, threads=self._threads, how=member, weights=weighing)

    def _last_time(self, recipe: Recipe, end: datetime, within: bool) -> float:
        """Days since 1970: the newest row that the members were fitted on; the same for each, since all are fitted up to ``end``."""
        return float(self._rows.days[self.mask(recipe, end, within=within) & ~self._rows.held_out].max())
