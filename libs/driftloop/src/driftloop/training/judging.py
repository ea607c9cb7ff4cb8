"""Models against one another on the labelled rows of one window: what they said in, figures out. Pure.

Who chooses among several must not judge the one that was chosen by the same rows: noise made it look good there. One half of the
split keys chooses, the other judges; where there is no choice, all rows judge.
"""

from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from driftloop.contracts.values import GateMeasurements, Window
from driftloop.project.model import Project
from driftloop.statistics.intervals import paired_gain, value
from driftloop.statistics.metrics import ModelOutput, TaskMetric
from driftloop.training.guard_rails import SegmentRows, segment_gains
from driftloop.training.waiting import with_earlier

Mask = npt.NDArray[np.bool_]


class JudgedRows(NamedTuple):
    """The n labelled rows of a window. ``keys``: a number for each, the same for rows with the same split key; ``chooses`` and
    ``judges``: which rows do. ``quarter``: which fourth of the split keys a row's is in, 0 to 3. ``segments``: those that the project
    declares. ``within``: the masks are those for what was fitted on half of the window's split keys."""

    window: Window
    labels: npt.NDArray[Any]
    keys: npt.NDArray[np.int64]
    chooses: Mask
    judges: Mask
    quarter: npt.NDArray[np.integer[Any]]
    segments: tuple[SegmentRows, ...] = ()
    within: bool = False

    @classmethod
    def of(
        cls,
        window: Window,
        labels: npt.NDArray[Any],
        keys: npt.NDArray[np.int64],
        quarter: npt.NDArray[np.integer[Any]],
        *,
        candidates: int,
        segments: tuple[SegmentRows, ...] = (),
    ) -> "JudgedRows":
        """``quarter``: what the hash of a split key leaves when divided by four. The even ones choose, where there is a choice."""
        everything = np.ones(len(labels), dtype=bool)
        chooses, judges = (quarter % 2 == 0, quarter % 2 == 1) if candidates > 1 else (everything, everything)
        return cls(window, labels, keys, chooses, judges, quarter, segments)

    def apart(self) -> "JudgedRows":
        """For a recipe that is fitted on the window's rows in the even quarters: of the others one chooses and one judges."""
        return self._replace(chooses=self.quarter == 1, judges=self.quarter == 3, within=True)

    @property
    def not_fitted(self) -> Mask:
        """The rows that the candidate was not fitted on."""
        return self.quarter % 2 == 1 if self.within else np.ones(len(self.labels), dtype=bool)

    def choosing_value(self, metric: TaskMetric, output: ModelOutput) -> float | None:
        """What the choosing rows say of a model; None where the metric is not defined on them."""
        return value(metric, self.labels[self.chooses], output.where(self.chooses))

    def why_undefined(self, metric: TaskMetric, output: ModelOutput) -> str:
        reason = metric.why_undefined(self.labels[self.chooses], output.where(self.chooses))
        return f"{metric.name} is not defined on {int(self.chooses.sum())} rows of the window {reason}"

    def against_champion(
        self,
        project: Project,
        ours: ModelOutput,
        theirs: ModelOutput,
        unseen: Mask,
        *,
        champion: int,
        seed: int,
        before: GateMeasurements | None,
        answered: Mask | None = None,
    ) -> GateMeasurements | None:
        """The gain on the judging rows that the champion was not fitted on (``unseen``), of those that it has an answer for
        (``answered``; None: all). Both outputs are on all n rows; of the champion's only those rows are looked at. ``before``: what the
        last run measured. None: the metric is not defined.
        """
        apart = self.judges & unseen
        rows = apart if answered is None else apart & answered
        if not rows.any():
            return None
        by_segment = (self.segments, rows, self.labels, self.keys, ours, theirs)
        labels, ours, theirs = self.labels[rows], ours.where(rows), theirs.where(rows)
        confidence = project.promotion.confidence
        gain = paired_gain(project.task_metric, labels, ours, theirs, confidence=confidence, seed=seed, keys=self.keys[rows])
        if gain is None:
            return None
        found = GateMeasurements(
            window=self.window,
            metric=project.metric,
            rows=len(labels),
            candidate=gain.candidate,
            champion=gain.champion,
            gain=gain.gain,
            gain_lower=gain.lower,
            confidence=confidence,
            champion_version=champion,
            judged_on="held-out" if apart.sum() < self.judges.sum() else "other-keys" if self.within else msgspec.UNSET,
            gain_error=gain.error,
            churn=churn(labels, ours, theirs, project.promotion.moved),
            segments=segment_gains(project, *by_segment, seed) if self.segments else msgspec.UNSET,
        )
        return with_earlier(found, before)


def churn(labels: npt.NDArray[Any], ours: ModelOutput, theirs: ModelOutput, moved: float) -> float:
    """Share of rows that get another answer: another class, or a number that lies more than ``moved`` standard deviations of the labels
    further off."""
    if np.asarray(labels).dtype.kind != "f":
        return float(np.mean(ours.predictions != theirs.predictions))
    by = np.abs(np.asarray(ours.scores) - np.asarray(theirs.scores))
    return float(np.mean(by > moved * float(np.std(labels))))
