"""A whole run on rows whose level rises: it proposes corrections, writes them down, and says the same when it is made again."""

from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from tests.unit.training import jobs

from driftloop.adapters.memory import MemoryStore
from driftloop.artifact import skops_file
from driftloop.artifact.model_files import CARD, LINEAGE
from driftloop.contracts.events import TrainingStarted
from driftloop.contracts.recalibration import Recalibration, RecalibrationProposal
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import TrainingPins
from driftloop.project.model import Project
from driftloop.training.fit import TrainingRows, fit
from driftloop.training.job import JOB_FILE, Job, Recorded, TrainedModel, write_json
from driftloop.training.run_job import run_job
from driftloop.training.user_code import load_build
from driftloop.training.workspace import Workspace

CONFIG = jobs.CONFIG.replace('name = "bought"\ntype = "boolean"\nmetric = "roc_auc"', 'name = "spent"\ntype = "number"\nmetric = "r2"')
PIPELINE = jobs.PIPELINE.replace("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")
PER_WINDOW = 400


def rising() -> pa.Table:
    """Each window's labels lie 2 above those of the window before."""
    rows = jobs.rows(windows=4, per_window=PER_WINDOW)
    n = rows.num_rows
    price = np.nan_to_num(rows.column("price").to_numpy(), nan=10.0)
    level = 2.0 * (np.arange(n) // PER_WINDOW)
    labels = pa.array(price + level + np.random.default_rng(1).normal(0, 1, n))
    return rows.set_column(rows.column_names.index("label"), "label", labels)


@pytest.fixture
def project() -> Project:
    return jobs.project(PIPELINE, CONFIG)


def trained(folder: Path, project: Project, n: int, **told: object) -> TrainedModel:
    """A run on window n beside a champion that was fitted on the first window alone."""
    table = rising()
    rows, build = TrainingRows(table, project), load_build(project.files, folder / "champion")
    champion = fit(build, rows, rows.between(None, jobs.window(0).end), seed=0, threads=1)
    to = jobs.window(0).end
    job = jobs.prepare(folder / "job", project, table, jobs.window(n), skops_file.dump(champion), champion_fitted_to=to)
    write_json(folder / "job" / JOB_FILE, msgspec.structs.replace(job, **told))
    result = run_job(folder / "job")
    assert result.trained is not None, result.failure
    return result.trained


def jobs_pins(folder: Path) -> TrainingPins:
    return msgspec.json.decode((folder / "job" / JOB_FILE).read_bytes(), type=prepared(Job)).pins


def by_whose(found: TrainedModel) -> dict[str, RecalibrationProposal]:
    return {proposal.of: proposal for proposal in found.recalibrations}


def test_a_run_estimates_for_both_and_proposes_once_it_has_seen_what_that_was_worth(tmp_path: Path, project: Project) -> None:
    first = by_whose(trained(tmp_path / "1", project, 1))
    assert first["champion"].full.shift == pytest.approx(2, abs=0.4)
    assert (first["champion"].rows, first["champion"].recalibration) == (PER_WINDOW, None)
    told = {"recalibrated_before": first["champion"], "candidate_before": first["candidate"]}
    second = by_whose(trained(tmp_path / "2", project, 2, **told))
    assert second["champion"].full.shift == pytest.approx(4, abs=0.4)
    assert second["champion"].recalibration == second["champion"].full
    assert second["champion"].gain_lower is not None
    assert second["champion"].gain_lower > 0.3
    assert second["candidate"].losses == second["champion"].losses


def test_the_gate_is_told_how_the_candidate_does_beside_what_is_served(tmp_path: Path, project: Project) -> None:
    plain = trained(tmp_path / "plain", project, 2).measurements
    shift = Recalibration(kind="shift", strength=1.0, shift=4.0)
    corrected = trained(tmp_path / "corrected", project, 2, champion_recalibration=shift).measurements
    assert plain is not None
    assert corrected is not None
    assert corrected.champion > plain.champion + 0.5
    assert corrected.candidate == plain.candidate  # there was no run before it to correct it by
    first = by_whose(trained(tmp_path / "first", project, 1))
    told = {"champion_recalibration": shift, "candidate_before": first["candidate"]}
    both = trained(tmp_path / "both", project, 2, **told).measurements
    assert both is not None
    assert both.candidate > plain.candidate
    assert both.champion == corrected.champion


def test_it_is_in_the_lineage_and_on_the_card_and_the_same_when_made_again(tmp_path: Path, project: Project) -> None:
    first = by_whose(trained(tmp_path / "first", project, 1))
    shift = Recalibration(kind="shift", strength=1.0, shift=4.0)
    told = {"recalibrated_before": first["champion"], "candidate_before": first["candidate"], "champion_recalibration": shift}
    once, again = (trained(tmp_path / name, project, 2, **told) for name in ("once", "again"))
    assert once.recalibrations == again.recalibrations
    lineage, card = ((tmp_path / "once" / "job" / name).read_bytes() for name in (LINEAGE, CARD))
    assert [(tmp_path / "again" / "job" / name).read_bytes() for name in (LINEAGE, CARD)] == [lineage, card]
    assert "## Recalibration" in card.decode()
    assert "- Of the champion's answers, estimated on 400 rows: shift +" in card.decode()
    recorded = msgspec.json.decode(lineage, type=prepared(Recorded))
    assert (recorded.recalibrations, recorded.champion_recalibration) == (once.recalibrations, shift)
    started = TrainingStarted(model="buyers", request_id="r1", answers=("r1",), pins=jobs_pins(tmp_path / "once"))
    manifest, _ = Workspace(tmp_path, MemoryStore()).manifest(tmp_path / "once" / "job", started, project, once)
    assert manifest.recalibrations == once.recalibrations
    rebuilt = trained(
        tmp_path / "rebuilt", project, 2, recorded=recorded, champion_recalibration=recorded.champion_recalibration
    )  # what it was told is not at hand any more
    assert rebuilt.recalibrations == once.recalibrations
    assert (tmp_path / "rebuilt" / "job" / LINEAGE).read_bytes() == lineage


def test_without_a_champion_or_by_the_projects_wish_nothing_is_proposed(tmp_path: Path, project: Project) -> None:
    without = jobs.project(PIPELINE, CONFIG + "[promotion]\nrecalibrate = false\n")
    assert trained(tmp_path / "off", without, 1).recalibrations == ()
    jobs.prepare(tmp_path / "first", project, rising(), jobs.window(1))
    result = run_job(tmp_path / "first").trained
    assert result is not None
    assert result.recalibrations == ()
    assert b"recalibrations" not in (tmp_path / "first" / LINEAGE).read_bytes()


def test_a_job_of_an_earlier_release_is_one_without_corrections(tmp_path: Path, project: Project) -> None:
    job = jobs.prepare(tmp_path / "job", project, rising(), jobs.window(1))
    data = msgspec.json.decode((tmp_path / "job" / JOB_FILE).read_bytes())
    for name in ("champion_recalibration", "recalibrated_before", "candidate_before"):
        data.pop(name, None)
    assert msgspec.json.decode(msgspec.json.encode(data), type=prepared(Job)) == job
