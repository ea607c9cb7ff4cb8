"""What the gate's guard rails judge by is measured on the judging rows, and times stay out of what a version is made from."""

from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from tests.unit.training import jobs

from driftloop.artifact import skops_file
from driftloop.contracts.guard_rails import ScoringCost
from driftloop.contracts.values import GateMeasurements
from driftloop.statistics.metrics import ModelOutput
from driftloop.training.fit import TrainingRows, fit
from driftloop.training.guard_rails import LEAST_KEYS, LEAST_ROWS, TIMES, SegmentRows, scoring_cost, segment_gains, segment_rows
from driftloop.training.judging import JudgedRows
from driftloop.training.user_code import load_build

SEGMENTED = jobs.CONFIG + '[monitoring]\nsegments = ["colour"]\n'
N = 2000
RNG = np.random.default_rng(4)
LABELS = RNG.random(N) < 0.5
RED = np.arange(N) % 2 == 0
EVERYTHING = np.ones(N, dtype=bool)


def said(good: "np.typing.NDArray[np.float64]") -> ModelOutput:
    scores = 1 / (1 + np.exp(-(good * (2.0 * LABELS - 1) + RNG.normal(size=N))))
    return ModelOutput(scores >= 0.5, scores)


def gains(segments: tuple[SegmentRows, ...], keys=None, rows=EVERYTHING, ours=None, theirs=None):
    ours, theirs = ours or said(np.where(RED, 2.0, 0.2)), theirs or said(np.full(N, 1.0))
    keys = np.arange(N) if keys is None else keys
    return segment_gains(jobs.project(config=SEGMENTED), segments, rows, LABELS, keys, ours, theirs, 0)


def test_gain_of_a_segment_is_the_gain_on_its_judging_rows_alone():
    red, green = gains((SegmentRows("colour", "red", False, RED), SegmentRows("colour", "green", False, ~RED)), rows=np.arange(N) < 1500)
    assert (red.value, red.rows, green.value, green.rows) == ("red", 750, "green", 750)
    assert red.gain > 0.05 > -0.1 > green.gain
    assert 0 < red.error < 0.05


def test_rows_of_one_split_key_are_resampled_together():
    half = (SegmentRows("colour", "red", False, RED),)
    ours, theirs = said(np.full(N, 1.0)), said(np.full(N, 1.0))
    keys = np.arange(N) // 40 % 25  # rows of a key stand together, but are independent: what differs is how often each is drawn
    assert gains(half, ours=ours, theirs=theirs)[0].error != gains(half, keys=keys, ours=ours, theirs=theirs)[0].error


@pytest.mark.parametrize(
    ("rows", "keys", "measured"), [(LEAST_ROWS, LEAST_ROWS, 1), (LEAST_ROWS - 1, LEAST_ROWS, 0), (N, LEAST_KEYS - 1, 0)]
)
def test_segment_of_few_rows_or_few_split_keys_says_nothing(rows, keys, measured):
    mask = np.arange(N) < rows
    assert len(gains((SegmentRows("colour", "red", False, mask),), keys=np.arange(N) % keys)) == measured


def test_segment_of_one_class_has_no_gain():
    assert gains((SegmentRows("colour", "red", False, LABELS),)) == ()


def test_segments_are_those_that_performance_is_told_by():
    table = pa.table({"colour": pa.array(["red", None, "green", "red"])})
    found = segment_rows(jobs.project(config=SEGMENTED), table)
    assert [(s.feature, s.value, s.others, s.mask.tolist()) for s in found] == [
        ("colour", "red", False, [True, False, False, True]),
        ("colour", "green", False, [False, False, True, False]),
        ("colour", None, False, [False, True, False, False]),
    ]
    assert segment_rows(jobs.project(), table) == ()


def against_champion(config: str) -> GateMeasurements | None:
    """On half of the keys, where the candidate is better on red rows and worse on green ones."""
    project = jobs.project(config=config)
    table = pa.table({"colour": pa.array(np.where(RED, "red", "green"))})
    quarter = np.where(np.arange(N) % 4 < 2, 0, 1)
    judged = JudgedRows.of(jobs.window(1), LABELS, np.arange(N), quarter, candidates=2, segments=segment_rows(project, table))
    ours, theirs = said(np.where(RED, 2.0, 0.2)), said(np.full(N, 1.0))
    return judged.against_champion(project, ours, theirs, EVERYTHING, champion=7, seed=0, before=None)


def test_measurements_carry_segments_where_the_project_declares_them():
    found = against_champion(SEGMENTED)
    assert found is not None
    assert {(s.value, s.rows, s.gain > 0) for s in found.segments} == {("red", 500, True), ("green", 500, False)}
    without = against_champion(jobs.CONFIG)
    assert without is not None
    assert without.segments is msgspec.UNSET


class Stopwatch:
    """A clock that scoring moves on, by times that are known beforehand."""

    def __init__(self, *seconds: float) -> None:
        self.now, self._seconds, self.order = 0.0, list(seconds), ""

    def scoring(self, name: str) -> None:
        self.order += name
        self.now += self._seconds.pop(0)

    def cost(self) -> ScoringCost:
        ours, theirs = (lambda: self.scoring("c")), (lambda: self.scoring("k"))
        return scoring_cost(ours, theirs, 10, candidate_bytes=5, champion_bytes=6, clock=lambda: self.now)


def test_both_are_timed_by_turns_and_the_least_time_of_each_counts():
    watch = Stopwatch(*[0.03, 0.02], *[0.004, 0.05], *[0.01, 0.002], *[0.01, 0.01] * (TIMES - 3))
    found = watch.cost()
    assert watch.order == "ck" * TIMES
    assert (found.candidate_ms, found.champion_ms) == (4.0, 2.0)
    assert (found.rows, found.candidate_bytes, found.champion_bytes) == (10, 5, 6)


def test_what_scores_slowly_is_timed_once():
    watch = Stopwatch(30.0, 20.0)
    assert (watch.cost().candidate_ms, watch.order) == (30_000.0, "ck")


def test_scoring_that_no_clock_can_tell_from_nothing_took_something():
    assert Stopwatch(*[0.0] * 2 * TIMES).cost().candidate_ms == 0.001  # a ratio of 0 would be no measurement


def trained(folder: Path, config: str = SEGMENTED):
    """A run against a champion, as the training process makes it, and the lineage that it left."""
    project, table = jobs.project(config=config), jobs.rows()
    rows = TrainingRows(table, project)
    champion = fit(load_build(project.files, folder / "champion"), rows, rows.between(None, jobs.window(1).end), seed=0, threads=1)
    data = skops_file.dump(champion)
    jobs.prepare(folder / "job", project, table, jobs.window(2), data)
    result = jobs.run(folder / "job")
    assert result.trained is not None, result.failure
    return result.trained, len(data), folder / "job"


def test_run_measures_what_its_version_costs_and_stores_none_of_it(tmp_path: Path):
    version, champion_bytes, folder = trained(tmp_path)
    cost = version.measurements.cost
    assert cost.rows == 300  # the judged window's
    assert (cost.candidate_bytes, cost.champion_bytes) == ((folder / "model.skops").stat().st_size, champion_bytes)
    assert cost.candidate_ms > 0
    assert cost.champion_ms > 0
    lineage = msgspec.json.decode((folder / "lineage.json").read_bytes())
    assert "cost" not in lineage["measurements"]
    assert {segment["value"] for segment in lineage["measurements"]["segments"]} == {"red", "green"}
    assert "_ms" not in (folder / "card.md").read_text()
