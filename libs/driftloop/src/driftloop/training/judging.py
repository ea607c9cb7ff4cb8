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
    ``judges``: which rows do. ``segments``: those that the project declares."""

    window: Window
    labels: npt.NDArray[Any]
    keys: npt.NDArray[np.int64]
    chooses: Mask
    judges: Mask
    segments: tuple[SegmentRows, ...] = ()

    @classmethod
    def of(
        cls,
        window: Window,
        labels: npt.NDArray[Any],
        keys: npt.NDArray[np.int64],
        first_half: Mask,
        *,
        candidates: int,
        segments: tuple[SegmentRows, ...] = (),
    ) -> "JudgedRows":
        """``first_half``: rows whose split key is in the half that chooses."""
        everything = np.ones(len(labels), dtype=bool)
        choice = candidates > 1
        return cls(window, labels, keys, first_half if choice else everything, ~first_half if choice else everything, segments)

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
    ) -> GateMeasurements | None:
        """The gain on the judging rows that the champion was not fitted on (``unseen``). Both outputs are on all n rows; of the
        champion's only those of ``unseen`` are looked at. ``before``: what the last run measured. None: the metric is not defined.
        """
        rows = self.judges & unseen
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
            judged_on=msgspec.UNSET if len(labels) == self.judges.sum() else "held-out",
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
