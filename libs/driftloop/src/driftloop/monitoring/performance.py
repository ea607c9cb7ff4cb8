"""Performance reports of one window from its joined rows. Pure."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.events import PerformanceReported
from driftloop.contracts.values import Interval, Window
from driftloop.project.model import Project
from driftloop.statistics.intervals import measure
from driftloop.statistics.metrics import ModelOutput

COLUMNS = ("event_time", "prediction", "score", "model_version")  # of the inferences; the join adds label and label_time


def performance_reports(
    project: Project, window: Window, rows: pa.Table, inferences_version: int, labels_version: int
) -> Iterator[PerformanceReported]:
    """All versions together (version null), then each version that scored rows. ``rows``: the window's, labelled or not."""
    versions = sorted(v for v in pc.unique(rows.column("model_version")).to_pylist() if v is not None)
    for version in [None, *versions]:
        part = rows if version is None else rows.filter(pc.equal(rows.column("model_version"), version))
        labelled = part.filter(part.column("label").is_valid())
        yield PerformanceReported(
            model=project.model,
            stream=project.stream,
            version=version,
            window=window,
            revision=0,
            metric=project.metric,
            measured=measured(project, labelled),
            rows=part.num_rows,
            labelled=labelled.num_rows,
            coverage=labelled.num_rows / part.num_rows if part.num_rows else 0.0,
            median_label_delay_seconds=_median_delay(labelled),
            inferences_version=inferences_version,
            labels_version=labels_version,
        )


def measured(project: Project, labelled: pa.Table) -> Interval | None:
    """The project's metric over labelled rows that were scored; None where it is not defined on them."""
    scored = labelled.filter(labelled.column("score").is_valid())
    output = ModelOutput(scored.column("prediction").to_numpy(), scored.column("score").to_numpy())
    return measure(project.task_metric, scored.column("label").to_numpy(), output, project.training.seed)


def same_content(a: PerformanceReported, b: PerformanceReported) -> bool:
    """Whether a second report would tell a reader nothing new; Delta versions move without a window's rows changing."""
    fields = ("measured", "rows", "labelled", "median_label_delay_seconds", "metric")
    return all(getattr(a, field) == getattr(b, field) for field in fields)


def _median_delay(labelled: pa.Table) -> float | None:
    if not labelled.num_rows:
        return None
    known = labelled.column("label_time").cast(pa.int64()).to_numpy()
    happened = labelled.column("event_time").cast(pa.int64()).to_numpy()
    return float(np.median(known - happened)) / 1e6
