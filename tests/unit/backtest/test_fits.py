"""Fits in processes of their own, on small rows."""

from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.unit.training import jobs

from driftloop.backtest.fits import Fits, mean_output
from driftloop.backtest.worker import ProfileRules
from driftloop.code_version import code_version
from driftloop.errors import UserError
from driftloop.project.model import Project
from driftloop.project.recipes import Member, parse_recipe
from driftloop.project.rules import Monitoring
from driftloop.training.fit import TrainingRows
from driftloop.training.recipe_fits import RecipeFits
from driftloop.training.user_code import load_build

MEAN = parse_recipe("mean:[all, all+time, decay:2]")
TABLE = jobs.rows(windows=4)
ENDS = [jobs.window(2).start, jobs.window(3).start]


class Told:
    """What a person is shown."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, int]] = []

    def __call__(self, done: int, of: int) -> None:
        self.lines.append((done, of))


def fits(tmp_path: Path, project: Project | None = None, name: str = "first") -> Fits:
    project = project or jobs.project()
    return Fits(project, project.windows, TABLE, tmp_path / name, tmp_path / "cache", processes=2)


def test_answers_are_those_of_the_model_that_a_training_run_would_make(tmp_path: Path) -> None:
    project, found = jobs.project(), fits(tmp_path)
    found.prepare(MEAN.members, ENDS, Told())
    window = jobs.window(3)
    told = found.output(MEAN, ENDS[0], window.start, window.end)

    rows = TrainingRows(TABLE, project)
    model = RecipeFits(load_build(project.files, tmp_path / "here"), rows, project.windows, seed=0, threads=1).fit(MEAN, ENDS[0])
    expected = rows.output(model, rows.between(window.start, window.end))
    assert np.array_equal(told.scores, expected.scores)
    assert np.array_equal(told.predictions, expected.predictions)


def test_within_a_window_half_of_its_keys_are_fitted_and_all_of_its_rows_answered(tmp_path: Path) -> None:
    project, found, window = jobs.project(), fits(tmp_path), jobs.window(2)
    judged = [jobs.window(2), jobs.window(3)]
    told = Told()
    found.prepare_for(["all", "newest+time", "newest+time"], judged, told)
    assert told.lines[-1] == (5, 5)  # two recipes up to two boundaries, and one within the only window that another follows
    newest = parse_recipe("newest+time")
    rows = TrainingRows(TABLE, project)
    of = RecipeFits(load_build(project.files, tmp_path / "here"), rows, project.windows, seed=0, threads=1)
    expected = rows.output(of.fit(newest, window.end, within=True), rows.between(window.start, window.end))
    assert np.array_equal(found.within(newest, window).scores, expected.scores)
    mask = of.mask(newest, window.end, within=True)
    assert rows.fitted(mask) == int((rows.between(window.start, window.end) & (rows.quarter % 2 == 0) & ~rows.held_out).sum())
    assert found.output(newest, window.end, judged[1].start, judged[1].end).scores.tolist() != expected.scores.tolist()


def test_a_profile_is_that_of_a_version_made_of_the_same_rows(tmp_path: Path) -> None:
    found, recipe = fits(tmp_path), parse_recipe("mean:[all, all+time]")
    of = jobs.project()
    own = ProfileRules(monitoring=of.monitoring, policy=of.policy)
    profile = found.profile(recipe, ENDS[0], own)
    rows = TrainingRows(TABLE, jobs.project())
    assert profile.rows == rows.fitted(rows.between(None, ENDS[0]))
    assert set(profile.columns) == {"price", "colour", "$score"}
    assert found.profile(recipe, ENDS[0], own) == profile
    assert len(list((tmp_path / "cache").glob("*.profile"))) == 1
    coarse = ProfileRules(monitoring=Monitoring(bins=4), policy=of.policy)  # those of another policy
    assert len(found.profile(recipe, ENDS[0], coarse).columns["price"].uppers) == 4 < len(profile.columns["price"].uppers)


def test_a_fit_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    first, again = Told(), Told()
    fits(tmp_path).prepare(MEAN.members, ENDS, first)
    before = {path: path.read_bytes() for path in (tmp_path / "cache").iterdir()}
    fits(tmp_path, name="again").prepare(MEAN.members, ENDS, again)
    assert (first.lines[0], first.lines[-1]) == ((0, 6), (6, 6))
    assert again.lines == [(6, 6)]
    assert {path: path.read_bytes() for path in (tmp_path / "cache").iterdir()} == before


def test_other_code_or_another_seed_is_another_fit(tmp_path: Path) -> None:
    fits(tmp_path).prepare([Member()], ENDS[:1], Told())
    told, other = Told(), Told()
    fits(tmp_path, jobs.project(jobs.PIPELINE.replace("max_iter=10", "max_iter=11")), "code").prepare([Member()], ENDS[:1], told)
    seeded = jobs.project(config=jobs.CONFIG.replace("threads = 1", "threads = 1\nseed = 5"))
    fits(tmp_path, seeded, "seed").prepare([Member()], ENDS[:1], other)
    assert told.lines[0] == other.lines[0] == (0, 1)


def test_another_release_of_driftloop_fits_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fits(tmp_path).prepare([Member()], ENDS[:1], Told())
    told, other = Told(), Told()
    monkeypatch.setattr("driftloop.backtest.fits.code_version", lambda: f"{code_version()}.git.0123456789ab")
    fits(tmp_path, name="commit").prepare([Member()], ENDS[:1], told)
    monkeypatch.setattr("driftloop.backtest.fits.code_version", lambda: "0.2.0+src.0123456789ab")
    fits(tmp_path, name="release").prepare([Member()], ENDS[:1], other)
    assert (told.lines, other.lines[0]) == ([(1, 1)], (0, 1))


def test_a_member_that_fails_is_told_where_it_is_asked_for_and_all_that_fail_end_it(tmp_path: Path) -> None:
    found = fits(tmp_path, jobs.project(jobs.PIPELINE.replace("def build():", "def build():\n    print('noise on standard output')")))
    found.prepare([Member(), Member(base="last", windows=1)], [jobs.START + jobs.WINDOW / 40, ENDS[0]], Told())
    window = jobs.window(2)
    with pytest.raises(UserError, match="8 labelled rows to fit on, fewer than 20"):
        found.output(parse_recipe("all"), jobs.START + jobs.WINDOW / 40, window.start, window.end)
    with pytest.raises(UserError, match=r"no recipe could be fitted: .*ZeroDivisionError"):
        broken = jobs.project("def build():\n    return 1 / 0\n")
        fits(tmp_path, broken, "broken").prepare([Member()], ENDS, Told())


def test_a_fitting_process_that_dies_is_an_error_and_no_wait(tmp_path: Path) -> None:
    deadly = jobs.project("import os\ndef build():\n    os._exit(7)\n")
    with pytest.raises(UserError, match=r"the process that fitted all up to .* ended with code 7"):
        fits(tmp_path, deadly).prepare([Member()], ENDS, Told())


def test_answers_that_would_fill_the_disk_are_refused_before_anything_is_fitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftloop.backtest.fits.MOST_BYTES", 1000)
    with pytest.raises(UserError, match="declare longer windows"):
        fits(tmp_path).prepare([Member()], ENDS, Told())
    assert list((tmp_path / "cache").iterdir()) == []


def test_old_fits_give_way_and_those_in_use_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of, first = jobs.project(), fits(tmp_path)
    first.prepare([Member()], ENDS[:1], Told())
    first.profile(parse_recipe("all"), ENDS[0], ProfileRules(monitoring=of.monitoring, policy=of.policy))
    monkeypatch.setattr("driftloop.backtest.fits.KEPT_BYTES", 0)
    fits(tmp_path, name="again").prepare([Member()], ENDS[1:], Told())
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_the_mean_of_members_with_other_classes_is_over_all_of_them() -> None:
    a = {"probabilities": np.array([[0.2, 0.8]]), "classes": np.array(["a", "c"])}
    b = {"probabilities": np.array([[1.0]]), "classes": np.array(["b"])}
    mean = mean_output([a, b], "multiclass")
    assert mean.classes == ("a", "b", "c")
    assert mean.probabilities.tolist() == [[0.1, 0.5, 0.4]]
    assert (mean.predictions.tolist(), mean.scores.tolist()) == (["b"], [0.5])


def test_a_moment_that_is_written_another_way_is_the_same(tmp_path: Path) -> None:
    found, told = fits(tmp_path), Told()
    found.prepare([Member()], ENDS[:1], Told())
    found.prepare([Member()], [datetime.fromisoformat(ENDS[0].isoformat())], told)
    assert told.lines == [(1, 1)]
    assert msgspec.json.encode(ENDS[0]) == msgspec.json.encode(datetime.fromisoformat(ENDS[0].isoformat()))
