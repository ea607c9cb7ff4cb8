"""A closed window against the profiles of the versions that scored it: all partitions' counts in, reports out. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from driftloop.contracts.events import DriftReported
from driftloop.contracts.values import FeatureDrift, Window
from driftloop.monitoring.held_counts import ByPartition, CountedWindow
from driftloop.project.model import Project
from driftloop.project.reading import Monitoring
from driftloop.statistics.comparison import MISSING, UNSEEN, compare
from driftloop.statistics.distances import RANKED_BY
from driftloop.statistics.profile import SCORE, Column, Counts, Profile

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
    features: dict[str, FeatureDrift] = {}
    digest, rows, thresholds = None, sum(c.rows for c in by_partition.values()), constant_thresholds(project.monitoring)
    if version is not None:
        digest, profile = profile_of(version)
        thresholds = thresholds | (profile.thresholds or {})
        rows, counts = merged(by_partition.values(), version)
        # no counts: they were made by a worker that had lost the profile, or are looked at by one
        features = {name: feature_drift(column, counts[name], thresholds) for name, column in profile.columns.items() if name in counts}
        digest = digest if features else None
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
        features={name: drift for name, drift in features.items() if name != SCORE},
        score=features.get(SCORE),
        drifted=any(drift.drifted for drift in features.values()),
        thresholds=thresholds,
    )


def constant_thresholds(monitoring: Monitoring) -> dict[str, float]:
    """Those that the project declares, by the name of the statistic or of the share that rises."""
    return {**monitoring.thresholds, MISSING: monitoring.missing, UNSEEN: monitoring.unseen}


def merged(partitions: Iterable[CountedWindow], version: int) -> tuple[int, dict[str, Counts]]:
    """Rows of one version and their counts, over all partitions."""
    rows, total = 0, dict[str, Counts]()
    for part in (part for counted in partitions for part in counted.sketches if part.version == version):
        rows += part.rows
        for name, values in part.counts.items():
            counts = np.array(values, dtype=np.int64)
            total[name] = total[name] + counts if name in total else counts
    return rows, total


def feature_drift(column: Column, counts: Counts, thresholds: Mapping[str, float]) -> FeatureDrift:
    """One column's counts against its profile, as an event carries it."""
    found = compare(column, counts, thresholds)
    return FeatureDrift.of(
        found.statistics,
        missing_share=found.now.missing,
        unseen_share=found.now.unseen,
        out_of_range_share=found.now.out_of_range,
        drifted=found.drifted,
    )


def moved(drift: FeatureDrift) -> float:
    """How far a column has moved, for ranking columns: the value of RANKED_BY."""
    return drift.statistic(RANKED_BY) or 0.0


def worst(report: DriftReported) -> tuple[str, float] | None:
    """The column that moved most, the score included, and how far."""
    columns = dict(report.features) | ({} if report.score is None else {SCORE: report.score})
    return max(((name, moved(drift)) for name, drift in columns.items()), key=lambda pair: pair[1], default=None)
