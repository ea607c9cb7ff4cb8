"""A new version's profile: what it was trained on, what it says about rows that it was not, and how far windows of them part."""

from typing import Any

import msgspec
import pyarrow as pa
from msgspec import UNSET

from driftloop.project.model import Project
from driftloop.statistics.calibration import Budget, PlacedRows, Slotted, calibrate
from driftloop.statistics.drift_thresholds import DriftThresholds
from driftloop.statistics.held_out import calibration_curve, held_out_loss
from driftloop.statistics.histograms import Counter, build_profile
from driftloop.statistics.metrics import ModelOutput
from driftloop.statistics.profile import SCORE, Profile
from driftloop.statistics.window_places import window_places
from driftloop.training.fit import Mask, TrainingRows
from driftloop.training.importance import permutation_importance
from driftloop.training.season import season, within

MOST_IN_A_ROW = 20  # windows of the policy's k of n for which it is calibrated


def version_profile(project: Project, rows: TrainingRows, mask: Mask, unseen: ModelOutput, pipeline: Any, seed: int) -> Profile:
    """``mask``: the rows that the version was made from, of which some are held out; ``unseen``: what it says about those, in order.

    What it loses and what columns are worth is measured on all of these; what windows are compared with may be a season of them."""
    task, labels = project.schema.target.task, rows.labels[mask & rows.held_out]
    of = season(project, rows, mask)
    among = within(rows, mask, of)
    scored = unseen.where(among[mask & rows.held_out])
    profile = build_profile(rows.table.filter(pa.array(among & ~rows.held_out)), scored.scores, project.schema, project.monitoring.bins)
    importance = permutation_importance(project, rows, mask & rows.held_out, pipeline, seed)
    return msgspec.structs.replace(
        profile,
        calibration=calibration_curve(task, labels, unseen),
        score_rows=len(scored.scores),
        held_out_loss=held_out_loss(task, labels, unseen) or UNSET,
        importance=UNSET if importance is None else importance,
        drift=UNSET if project.monitoring.constant else _thresholds(project, profile, rows, among, scored, seed),
        season=of or UNSET,
    )


def _thresholds(project: Project, profile: Profile, rows: TrainingRows, mask: Mask, unseen: ModelOutput, seed: int) -> DriftThresholds:
    """From all rows of ``mask``, held-out ones too: as to what rows look like they are like the others."""
    table = rows.table.filter(pa.array(mask))
    places = window_places(table.column("event_time").cast(pa.int64()).to_numpy(), project.windows)
    held_out = rows.held_out[mask]
    score = pa.table({"score": pa.array(unseen.scores, pa.float64())})
    return calibrate(
        placed(profile, table, places, [name for name in profile.columns if name != SCORE]),
        placed(profile, score, places[held_out], [SCORE]),
        budget(project),
        seed=seed,
    )


def budget(project: Project) -> Budget:
    """With the policy's k of n, where that is an event that can be."""
    words, alpha = project.alarm_budget
    k, n = project.policy.drift_k, project.policy.drift_n
    return Budget(words, alpha, k, n) if 1 <= k <= n <= MOST_IN_A_ROW else Budget(words, alpha)


def placed(profile: Profile, table: pa.Table, places: Any, names: list[str]) -> PlacedRows:
    slots = Counter(profile).slots(table, names)
    return PlacedRows(places, {name: Slotted(profile.columns[name].kind, profile.columns[name].size, slots[name]) for name in names})
