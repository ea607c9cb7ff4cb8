"""What the gate's guard rails judge by: gains by segment, and what a version costs beside the champion."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from threadpoolctl import threadpool_limits

from driftloop.contracts.guard_rails import ScoringCost, SegmentGain
from driftloop.monitoring.segments import segment_masks
from driftloop.project.model import Project
from driftloop.statistics.intervals import paired_gain
from driftloop.statistics.metrics import ModelOutput

LEAST_ROWS = 50  # of a segment whose gain is measured
LEAST_KEYS = 20  # split keys in it: a standard error over resamples of fewer is too small
SCORED_AT_ONCE = 1000  # as many as a predictor scores at once
TIMES, SECONDS = 3, 1.0  # how often scoring is timed, unless that takes longer

Mask = npt.NDArray[np.bool_]
Score = Callable[[], object]


class SegmentRows(NamedTuple):
    """Which of a window's n labelled rows are of one category of a feature (``monitoring.segments``)."""

    feature: str
    value: str | None
    others: bool
    mask: Mask


def segment_rows(project: Project, table: pa.Table) -> tuple[SegmentRows, ...]:
    """Of the segments that the project declares, as performance is told by; none of a project that declares none."""
    masks = segment_masks(project, table)
    return tuple(SegmentRows(each.feature, each.value, each.others, np.asarray(each.mask, dtype=bool)) for each in masks)


def segment_gains(
    project: Project,
    segments: Sequence[SegmentRows],
    rows: Mask,
    labels: npt.NDArray[Any],
    keys: npt.NDArray[np.int64],
    ours: ModelOutput,
    theirs: ModelOutput,
    seed: int,
) -> tuple[SegmentGain, ...]:
    """The gain in each segment, on its share of the judging ``rows``; the arrays and outputs are of all n rows.

    Left out are segments with fewer than LEAST_ROWS such rows or LEAST_KEYS split keys, and those on which the metric is not defined.
    """
    found = []
    for segment in segments:
        mask = rows & segment.mask
        if int(mask.sum()) < LEAST_ROWS or len(np.unique(keys[mask])) < LEAST_KEYS:
            continue
        gain = paired_gain(
            project.task_metric,
            labels[mask],
            ours.where(mask),
            theirs.where(mask),
            confidence=project.promotion.confidence,
            seed=seed,
            keys=keys[mask],
        )
        if gain is not None:
            found.append(
                SegmentGain(
                    feature=segment.feature,
                    value=segment.value,
                    others=segment.others,
                    rows=int(mask.sum()),
                    gain=gain.gain,
                    error=gain.error,
                )
            )
    return tuple(found)


def scoring_cost(
    ours: Score, theirs: Score, rows: int, *, candidate_bytes: int, champion_bytes: int, clock: Callable[[], float] = time.perf_counter
) -> ScoringCost:
    """Both score the same ``rows`` rows by turns, with one thread as a predictor does; what counts is the least time of each, since
    what another process takes of the machine is neither's. ``clock``: seconds. Raises what they raise."""
    began, least = clock(), [float("inf"), float("inf")]
    with threadpool_limits(1):
        for _ in range(TIMES):
            for n, score in enumerate((ours, theirs)):
                started = clock()
                score()
                least[n] = min(least[n], clock() - started)
            if clock() - began > SECONDS:
                break
    candidate, champion = (round(max(seconds * 1000, 0.001), 3) for seconds in least)  # no clock tells less than that
    return ScoringCost(
        rows=rows, candidate_ms=candidate, champion_ms=champion, candidate_bytes=candidate_bytes, champion_bytes=champion_bytes
    )
