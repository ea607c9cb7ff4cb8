"""A closed window against the profiles of the versions that scored it: all partitions' counts in, reports out. Pure."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from driftloop.contracts.events import DriftReported
from driftloop.contracts.values import FeatureDrift, Window
from driftloop.monitoring.held_counts import ByPartition, CountedWindow
from driftloop.monitoring.verdict import NOTHING_JUDGED, constant_thresholds, judge
from driftloop.project.model import Project
from driftloop.statistics.comparison import DISTANCE
from driftloop.statistics.distances import RANKED_BY
from driftloop.statistics.profile import SCORE, Counts, Profile

ProfileOf = Callable[[int], tuple[str, Profile]]


def drift_reports(project: Project, window: Window, revision: int, by_partition: ByPartition, profile_of: ProfileOf) -> list[DriftReported]:
    """One report per version that scored rows of the window; one without a version if none did.

    A version whose profile is lost has its rows in its report, no profile and nothing compared.
    """
    present: Sequence[int | None] = sorted({part.version for counted in by_partition.values() for part in counted.sketches})
    return [_report(project, window, revision, by_partition, version, profile_of) for version in present or [None]]


def _report(
    project: Project,
    window: Window,
    revision: int,
    by_partition: ByPartition,
    version: int | None,
    profile_of: ProfileOf,
) -> DriftReported:
    digest, rows = None, sum(c.rows for c in by_partition.values())
    judged = NOTHING_JUDGED._replace(thresholds=constant_thresholds(project.monitoring))
    if version is not None:
        digest, profile = profile_of(version)
        rows, counts = merged(by_partition.values(), version)
        judged = judge(project, profile, rows, counts)
        digest = digest if judged.columns else None
    return DriftReported(
        model=project.model,
        stream=project.stream,
        version=version,
        profile=digest,
        window=window,
        revision=revision,
        rows=rows,
        late_rows=sum(c.late_rows for c in by_partition.values()),
        closing_offsets={str(p): c.closing_offset for p, c in sorted(by_partition.items())},
        features={name: drift for name, drift in judged.columns.items() if name != SCORE},
        score=judged.columns.get(SCORE),
        drifted=judged.verdict == "drifted",
        thresholds=judged.thresholds,
        verdict=judged.verdict,
        distance=judged.distance,
        column=judged.column,
        threshold=judged.threshold,
        repeated=judged.repeated,
        repeated_threshold=judged.repeated_threshold,
        false_alarms=judged.false_alarms,
        alpha=judged.alpha,
        reference_windows=judged.reference_windows,
        because=judged.because,
    )


def merged(partitions: Iterable[CountedWindow], version: int) -> tuple[int, dict[str, Counts]]:
    """Rows of one version and their counts, over all partitions."""
    rows, total = 0, dict[str, Counts]()
    for part in (part for counted in partitions for part in counted.sketches if part.version == version):
        rows += part.rows
        for name, values in part.counts.items():
            counts = np.array(values, dtype=np.int64)
            total[name] = total[name] + counts if name in total else counts
    return rows, total


def moved(drift: FeatureDrift) -> float:
    """How far a column has moved, for ranking columns: its distance, in older reports the value of RANKED_BY."""
    return drift.distance if drift.distance is not None else drift.statistic(RANKED_BY) or 0.0


class Worst(NamedTuple):
    """The column that moved most, by which statistic and how far, and the threshold for that."""

    column: str
    statistic: str
    value: float
    threshold: float | None


def worst(report: DriftReported) -> Worst | None:
    """Of a report by calibrated thresholds the column that its verdict is from; by constants the first by RANKED_BY, the score included."""
    if report.alpha is not None:
        return (
            None if report.column is None or report.distance is None else Worst(report.column, DISTANCE, report.distance, report.threshold)
        )
    columns = dict(report.features) | ({} if report.score is None else {SCORE: report.score})
    found = max(((name, drift.statistic(RANKED_BY) or 0.0) for name, drift in columns.items()), key=lambda pair: pair[1], default=None)
    return None if found is None else Worst(found[0], RANKED_BY, found[1], report.thresholds.get(RANKED_BY))
