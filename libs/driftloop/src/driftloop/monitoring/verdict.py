"""Whether a window has drifted: its counts against the thresholds that its version's training calibrated. Pure.

A project that writes constants out is judged by those, as is a version that was trained before there was calibration.
"""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import UNSET

from driftloop.contracts.values import DriftVerdict, FeatureDrift
from driftloop.project.model import Project
from driftloop.project.rules import Monitoring
from driftloop.statistics.comparison import DISTANCE, MISSING, NO_THRESHOLDS, UNSEEN, ColumnComparison, compare, compare_columns
from driftloop.statistics.drift_thresholds import DriftThresholds
from driftloop.statistics.profile import SCORE, Column, Counts, Profile

# Constants judge a score beside no fewer rows than these: of 200 its PSI over 20 bins is 0.1 without any drift.
LEAST_SCORE_ROWS = 200


class Judged(NamedTuple):
    """Fields of ``DriftReported``. ``columns``: the score included; none: nothing was compared."""

    columns: dict[str, FeatureDrift]
    thresholds: dict[str, float]
    verdict: DriftVerdict | None
    distance: float | None = None
    column: str | None = None
    threshold: float | None = None
    repeated: bool | None = None
    repeated_threshold: float | None = None
    false_alarms: str | None = None
    alpha: float | None = None
    reference_windows: int | None = None
    because: str | None = None


NOTHING_JUDGED = Judged({}, {}, None)


def judge(project: Project, profile: Profile, rows: int, counts: Mapping[str, Counts]) -> Judged:
    """``counts``: of one version's ``rows`` rows of a window, by the profile's columns.

    Columns of which there are none are left out: they were counted by a worker that had lost the profile, or are looked at by one.
    """
    constants = constant_thresholds(project.monitoring) | (profile.thresholds or {})
    found = None if project.monitoring.constant or profile.drift is UNSET else profile.drift
    threshold = None if found is None else found.threshold(rows)
    thresholds = constants if found is None else {} if threshold is None else {DISTANCE: threshold}
    present = {name: column for name, column in profile.columns.items() if name in counts}
    of_columns = {name: column_thresholds(profile, name, rows, thresholds) for name in present}
    columns = {name: _told(each) for name, each in compare_columns(present, counts, of_columns).items()}
    if not columns:
        return NOTHING_JUDGED._replace(thresholds=constants)
    drifted: DriftVerdict = "drifted" if any(drift.drifted for drift in columns.values()) else "calm"
    sizes = {name: drift.distance or 0.0 for name, drift in columns.items() if found is None or _judged(found, name, rows)}
    column = max(sizes, key=lambda name: sizes[name], default=None)
    judged = Judged(columns, thresholds, drifted, None if column is None else sizes[column], column)
    return judged if found is None else _calibrated(project, judged, found, rows)


def _calibrated(project: Project, judged: Judged, found: DriftThresholds, rows: int) -> Judged:
    threshold, same_event = found.threshold(rows), (found.k, found.n) == (project.policy.drift_k, project.policy.drift_n)
    repeated = found.repeated_threshold(rows) if same_event else None
    return judged._replace(
        verdict="uncalibrated" if threshold is None else judged.verdict,
        threshold=threshold,
        repeated=None if repeated is None or judged.distance is None else judged.distance > repeated,
        repeated_threshold=repeated,
        false_alarms=found.false_alarms,
        alpha=found.alpha,
        reference_windows=found.windows,
        because=None if threshold is not None else _why_uncalibrated(found, rows),
    )


def _why_uncalibrated(found: DriftThresholds, rows: int) -> str:
    if found.windows < found.needed:
        return f"the training data are of {found.windows} windows; {found.needed} show what happens in one of so many"
    if found.rows:
        return f"the window has {rows} rows, and thresholds begin at {found.rows[0]}"
    return "no column of the training data can be judged: their windows have too few rows, or each follows the calendar"


def constant_thresholds(monitoring: Monitoring) -> dict[str, float]:
    """Those that the project declares, by the name of the statistic or of the share that rises."""
    return {**monitoring.thresholds, MISSING: monitoring.missing, UNSEEN: monitoring.unseen}


def column_thresholds(profile: Profile, name: str, rows: int, thresholds: Mapping[str, float]) -> Mapping[str, float]:
    """Those of the window's ``thresholds`` that judge one column; none for a column that is not judged."""
    if DISTANCE in thresholds:
        return thresholds if profile.drift is UNSET or _judged(profile.drift, name, rows) else NO_THRESHOLDS
    few = name == SCORE and profile.score_rows is not UNSET and profile.score_rows < LEAST_SCORE_ROWS
    return NO_THRESHOLDS if few else thresholds


def feature_drift(column: Column, counts: Counts, thresholds: Mapping[str, float]) -> FeatureDrift:
    """One column's counts against its profile, as an event carries it."""
    return _told(compare(column, counts, thresholds))


def _told(found: ColumnComparison) -> FeatureDrift:
    return FeatureDrift.of(
        found.statistics,
        missing_share=found.now.missing,
        unseen_share=found.now.unseen,
        out_of_range_share=found.now.out_of_range,
        drifted=found.drifted,
        distance=found.distance,
    )


def _judged(found: DriftThresholds, name: str, rows: int) -> bool:
    if name == SCORE:
        return found.score_from is not None and rows >= found.score_from
    return name not in found.unjudged
