"""What a run says for correcting answers between promotions: the champion's, and its own version's once it is promoted. Pure.

A correction is estimated on one window and serves the next. So what is known of its worth comes one run later: the estimate of the run
before, applied to what the model that has served since then said, without any correction, of this run's window. Backtest and training
run ask here.
"""

from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from driftloop.contracts.recalibration import Recalibration, RecalibrationProposal, StrengthLoss
from driftloop.project.model import Project
from driftloop.statistics.intervals import paired_gain
from driftloop.statistics.metrics import ModelOutput
from driftloop.statistics.recalibration import STRENGTHS, apply, at_strength, estimate, losses, wrong
from driftloop.training.choosing import Chosen
from driftloop.training.judging import JudgedRows, Mask
from driftloop.training.waiting import KEPT

CANDIDATE_STRENGTH = 0.5  # of the correction that a candidate is compared with: a refit has less to be corrected than what it was seen on


class EarlierProposals(NamedTuple):
    """Of the run before: about the answers that are served now (``served``), and about those of that run's candidate."""

    served: RecalibrationProposal | None = None
    candidate: RecalibrationProposal | None = None


class Recalibrating:
    """One run's window. ``champion``: what the model that serves now says of its n rows without a correction; only rows of ``unseen``,
    those that it was not fitted on, are looked at. ``in_force``: the correction with which it serves. What was estimated when the target
    was of another type is not gone on from."""

    def __init__(
        self,
        project: Project,
        rows: JudgedRows,
        champion: ModelOutput,
        unseen: Mask,
        in_force: Recalibration | None,
        before: EarlierProposals,
        seed: int,
    ) -> None:
        self._project, self._rows, self._champion, self._unseen, self._seed = project, rows, champion, unseen, seed
        self._in_force, self._task = in_force, project.schema.target.task
        self._before = EarlierProposals(*(None if each is None or wrong(each.full, self._task) else each for each in before))

    @property
    def served(self) -> ModelOutput:
        """What users were answered, which is what a candidate must beat."""
        return apply(self._in_force, self._champion)

    def comparable(self, candidate: Chosen) -> ModelOutput:
        """The candidate beside a champion that is corrected: with half of what the run before estimated for its own candidate, since it
        would be corrected, too. Where the champion is not, or there was no such run, as it is; and where it was fitted within the window:
        the estimate is of before."""
        before = self._before.candidate
        if self._in_force is None or before is None or candidate.rows.within:
            return candidate.output
        return apply(at_strength(before.full, CANDIDATE_STRENGTH), candidate.output)

    def proposals(self, candidate: Chosen) -> tuple[RecalibrationProposal, ...]:
        """For the champion's answers and for the candidate's, from its output on rows of the window that it was not fitted on.

        None where nothing can be estimated, or the project does not want corrections.
        """
        if not self._project.promotion.recalibrate:
            return ()
        labels, apart, known = self._rows.labels, candidate.rows.not_fitted, self._known()
        found = (
            self._proposal("champion", labels[self._unseen], self._champion.where(self._unseen), known),
            self._proposal("candidate", labels[apart], candidate.output.where(apart), known),
        )
        return tuple(proposal for proposal in found if proposal is not None)

    def _known(self) -> RecalibrationProposal | None:
        """The proposal of the run before with what this window says of it. None: there is nothing to go on from.

        A window that the estimate was made on, or that has judged one, cannot judge another: then what was known stands.
        """
        before, window = self._before.served, self._rows.window
        if before is None or before.window.end > window.start:
            return before
        labels, champion = self._rows.labels[self._unseen], self._champion.where(self._unseen)
        lost = losses(self._task, labels, champion, before.full)
        if lost is None:
            return before
        none, half, full = lost
        newest = StrengthLoss(window=window, none=none, half=half, full=full, rows=len(labels))
        known = msgspec.structs.replace(
            before, losses=(*before.losses, newest)[-KEPT:], gain=None, gain_lower=None, judged_window=None, judged_rows=0
        )
        best = at_strength(before.full, strength(known.losses))
        if best is None:
            return known
        gain = paired_gain(
            self._project.task_metric,
            labels,
            apply(best, champion),
            champion,
            confidence=self._project.promotion.confidence,
            seed=self._seed,
            keys=self._rows.keys[self._unseen],
        )
        if gain is None:
            return known
        return msgspec.structs.replace(
            known, gain=gain.gain, gain_lower=gain.lower, judged_window=window, judged_rows=len(labels), metric=self._project.metric
        )

    def _proposal(
        self, of: str, labels: npt.NDArray[Any], output: ModelOutput, known: RecalibrationProposal | None
    ) -> RecalibrationProposal | None:
        full = estimate(self._task, labels, output)
        if full is None:
            return None
        about = {"of": of, "full": full, "window": self._rows.window, "rows": len(labels)}
        if known is None:
            return RecalibrationProposal(recalibration=None, metric=self._project.metric, **about)  # type: ignore[arg-type]
        # What helped on average does harm now: better none than an old one that stays. A gain of 0 is that of a metric which such a
        # correction cannot move, as ROC AUC: nobody need decide about it.
        lost = known.gain is not None and known.gain <= 0
        return msgspec.structs.replace(known, recalibration=None if lost else at_strength(full, strength(known.losses)), **about)


def strength(known: tuple[StrengthLoss, ...]) -> float:
    """That with which corrections have lost least so far, all windows alike; the weakest of equals, 0 where there was none."""
    total = np.array([[each.none, each.half, each.full] for each in known] or [[0.0, 0.0, 0.0]]).sum(axis=0)
    return STRENGTHS[int(total.argmin())]
