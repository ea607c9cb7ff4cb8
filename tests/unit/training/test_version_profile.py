"""A new version's profile: its score's reference is of rows that it was not fitted on, and its windows are what thresholds come from."""

from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from tests.unit.training import jobs

from driftloop.artifact.model_files import PROFILE
from driftloop.monitoring.verdict import judge
from driftloop.project.model import Project
from driftloop.statistics.histograms import Counter
from driftloop.statistics.profile import SCORE, Profile
from driftloop.training.fit import TrainingRows, fit
from driftloop.training.run import TrainingRun
from driftloop.training.user_code import load_build
from driftloop.training.version_profile import budget, version_profile

FOREST = jobs.PIPELINE.replace("HistGradientBoostingClassifier(max_iter=10)", "RandomForestClassifier(n_estimators=20)").replace(
    "from sklearn.ensemble import HistGradientBoostingClassifier",
    "from sklearn.ensemble import RandomForestClassifier\nfrom sklearn.impute import SimpleImputer",
)
FOREST = FOREST.replace('(encoder, ["colour"])', '(make_pipeline(encoder, SimpleImputer()), ["colour"]), (SimpleImputer(), ["price"])')
BUDGET = jobs.CONFIG + '[monitoring]\nbins = 16\nfalse_alarms = "1 per 70d"\n'


def made(project: Project, table: pa.Table, folder: Path, seed: int = 0) -> tuple[Profile, TrainingRows, object]:
    rows = TrainingRows(table, project)
    mask = np.ones(table.num_rows, dtype=bool)
    pipeline = fit(load_build(project.files, folder), rows, mask, seed=0, threads=1)
    return version_profile(project, rows, mask, rows.held_out_output(pipeline, mask), pipeline, seed), rows, pipeline


NOISE = [f"noise{i}" for i in range(8)]


def noisy(table: pa.Table, seed: int) -> pa.Table:
    """A quarter of the labels turned round, and columns that tell rows apart: a forest learns its rows by heart, and others not at all."""
    random = np.random.default_rng(seed + 1000)
    for name in NOISE:
        table = table.append_column(name, [random.random(table.num_rows)])
    turned = table["label"].to_numpy() ^ (random.random(table.num_rows) < 0.25)
    return table.set_column(table.column_names.index("label"), "label", pa.array(turned))


def test_a_random_forests_score_does_not_drift_for_ever(tmp_path: Path) -> None:
    """It is sure of the rows that it was fitted on as it is of no others: beside those its scores have always moved."""
    project = jobs.project(FOREST, BUDGET.replace('price = "number"', "\n".join(f'{name} = "number"' for name in ["price", *NOISE])))
    profile, rows, pipeline = made(project, noisy(jobs.rows(windows=20, per_window=1000), 0), tmp_path)
    assert profile.score_rows == rows.held_out.sum() == profile.columns[SCORE].reference.sum() > 1500
    assert profile.drift.score_from is not None
    for seed in (5, 6, 7):
        later = TrainingRows(noisy(jobs.rows(windows=1, per_window=2000, seed=seed), seed), project)
        output = later.output(pipeline, np.ones(2000, dtype=bool))
        judged = judge(project, profile, 2000, Counter(profile).count(later.table, output.scores))
        assert judged.columns[SCORE].distance < 0.1
        assert not judged.columns[SCORE].drifted
        assert judged.verdict == "calm"
    in_sample = rows.output(pipeline, ~rows.held_out)
    bare = msgspec.structs.replace(profile, columns={SCORE: profile.columns[SCORE]})
    assert judge(project, bare, 2000, Counter(bare).count(rows.table, in_sample.scores)).columns[SCORE].distance > 0.1


def test_what_moves_is_found_and_what_the_model_looks_at_is_known(tmp_path: Path) -> None:
    project = jobs.project(config=BUDGET)
    profile, _, pipeline = made(project, jobs.rows(windows=20), tmp_path)
    assert (profile.drift.windows, profile.drift.alpha) == (20, pytest.approx(0.1))
    later = TrainingRows(jobs.rows(windows=1, seed=9), project)
    moved = later.table.set_column(later.table.column_names.index("price"), "price", pa.compute.add(later.table["price"], 3.0))
    scores = TrainingRows(moved, project).output(pipeline, np.ones(300, dtype=bool)).scores
    judged = judge(project, profile, 300, Counter(profile).count(moved, scores))
    assert (judged.verdict, judged.column) == ("drifted", "price")
    assert set(profile.importance) == {"price", "colour"}
    assert profile.importance["price"] > profile.importance["colour"] > 0.02
    assert profile.held_out_loss.loss == "squared"
    assert 0 < profile.held_out_loss.mean < 0.25
    assert sum(profile.calibration.rows) == profile.held_out_loss.rows == profile.score_rows


def test_the_same_rows_and_seed_give_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    project, table = jobs.project(config=BUDGET), jobs.rows(windows=12)
    one = made(project, table, tmp_path)[0]
    assert Profile.decode(one.encode()) == one
    assert made(project, table, tmp_path)[0].encode() == one.encode()
    assert made(project, table, tmp_path, seed=1)[0].encode() != one.encode()


def test_a_column_that_the_model_cannot_use_has_no_importance(tmp_path: Path) -> None:
    table = jobs.rows(windows=6)
    table = table.set_column(table.column_names.index("colour"), "colour", [pa.array(["red"] * table.num_rows)])
    profile, _, _ = made(jobs.project(config=BUDGET), table, tmp_path)
    assert profile.importance["colour"] == 0
    assert profile.columns["colour"].categories == ("red",)


def test_missing_columns_and_few_rows_have_defined_results(tmp_path: Path) -> None:
    table = jobs.rows(windows=2, per_window=30)
    table = table.set_column(table.column_names.index("colour"), "colour", [pa.nulls(60, pa.string())])
    profile, _, _ = made(jobs.project(config=BUDGET), table, tmp_path)
    assert profile.drift.thresholds == ()
    assert profile.held_out_loss is msgspec.UNSET
    assert profile.calibration is None
    assert profile.columns["colour"].counts == (int((~TrainingRows(table, jobs.project()).held_out).sum()), 0)
    assert Profile.decode(profile.encode()) == profile


def test_rows_of_which_none_was_held_out_have_no_score_to_compare_with(tmp_path: Path) -> None:
    table = jobs.rows(windows=12)
    project = jobs.project(config=BUDGET)
    table = table.filter(pa.array(~TrainingRows(table, project).held_out))
    profile, _, _ = made(project, table, tmp_path)
    assert (profile.score_rows, profile.columns[SCORE].reference.sum()) == (0, 0)
    assert (profile.importance, profile.held_out_loss) == (msgspec.UNSET, msgspec.UNSET)
    assert profile.drift.score_from is None
    assert profile.drift.thresholds
    judged = judge(project, profile, 300, Counter(profile).count(table.slice(0, 300), np.full(300, 0.9)))
    assert judged.columns[SCORE].distance == 0
    constants = jobs.project(config=jobs.CONFIG + "[monitoring]\npsi = 0.25\n")
    assert not judge(constants, profile, 300, Counter(profile).count(table.slice(0, 300), np.full(300, 0.9))).columns[SCORE].drifted


def test_a_project_that_states_constants_has_none_calibrated(tmp_path: Path) -> None:
    profile, _, _ = made(jobs.project(config=jobs.CONFIG + "[monitoring]\nks = 0.1\n"), jobs.rows(windows=12), tmp_path)
    assert profile.drift is msgspec.UNSET


def test_the_policys_event_is_calibrated_where_it_can_happen() -> None:
    def of(policy: str) -> tuple[int, int]:
        found = budget(jobs.project(config=f"{BUDGET}[policy]\n{policy}\n"))
        return found.k, found.n

    assert of("") == (2, 3)
    assert of("drift_k = 1\ndrift_n = 5") == (1, 5)
    assert of("drift_k = 4\ndrift_n = 3") == of("drift_k = 1\ndrift_n = 500") == (1, 1)


def test_a_run_writes_it(tmp_path: Path) -> None:
    project, table = jobs.project(config=BUDGET), jobs.rows(windows=12)
    job = jobs.prepare(tmp_path / "run", project, table, jobs.window(11))
    TrainingRun(job, project, TrainingRows(table, project), tmp_path / "run", lambda _: None).run()
    written = Profile.decode((tmp_path / "run" / PROFILE).read_bytes())
    assert written.drift.thresholds
    assert written.drift.repeated
    assert set(written.importance) == {"price", "colour"}
