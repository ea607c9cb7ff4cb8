"""The profile of a chosen stretch of a stream, for a model that is served elsewhere: nobody here knows what it was trained on."""

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import UNSET

from driftloop.project.model import Project
from driftloop.statistics.calibration import calibrate
from driftloop.statistics.drift_thresholds import DriftThresholds
from driftloop.statistics.held_out import calibration_curve, held_out_loss
from driftloop.statistics.histograms import build_profile, floats
from driftloop.statistics.profile import SCORE, Profile
from driftloop.statistics.recorded import measurable
from driftloop.statistics.window_places import window_places
from driftloop.training.version_profile import budget, placed


def reference_profile(project: Project, rows: pa.Table, versions: frozenset[int]) -> Profile:
    """``rows``: of the stretch, joined with their labels, null where there is none yet. Features are profiled from all of them, scores
    from those that ``versions`` answered, which are those of one name.

    As with a version that was trained here there are thresholds, calibrated within the stretch, and, of enough rows with labels,
    the loss and what the scores are worth: every answer was given before its label was known. What a column is worth to the model
    is not known.
    """
    answered = rows.filter(pc.is_in(rows.column("model_version"), value_set=pa.array(sorted(versions), pa.int64())))
    answered = answered.filter(answered.column("score").is_valid())
    profile = build_profile(rows, floats(answered.column("score")), project.schema, project.monitoring.bins)
    task, (labels, output) = (
        project.schema.target.task,
        measurable(answered.filter(answered.column("label").is_valid()), project.task_metric),
    )
    return msgspec.structs.replace(
        profile,
        score_rows=answered.num_rows,
        calibration=calibration_curve(task, labels, output),
        held_out_loss=held_out_loss(task, labels, output) or UNSET,
        drift=UNSET if project.monitoring.constant else _thresholds(project, profile, rows, answered),
    )


def _thresholds(project: Project, profile: Profile, rows: pa.Table, answered: pa.Table) -> DriftThresholds:
    features = [name for name in profile.columns if name != SCORE]
    score = placed(profile, answered.select(["score"]), _places(project, answered), [SCORE]) if answered.num_rows else None
    found = placed(profile, rows, _places(project, rows), features)
    return calibrate(found, score, budget(project), seed=project.training.seed)


def _places(project: Project, rows: pa.Table) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return window_places(rows.column("event_time").cast(pa.int64()).to_numpy(), project.windows)
