"""A new metric is one place, a new drift statistic two at most: added here by their rows alone, and counted in the sources."""

import ast
from datetime import timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.unit.monitoring.teller import DIGEST, PROFILE, of_rows
from tests.unit.monitoring.traffic import CONFIG, START, make_rows, window

from driftloop.contracts.candidates import CandidateResult
from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.values import Interval
from driftloop.datasets.diff import difference
from driftloop.datasets.diff_inputs import DiffInput
from driftloop.documents import reference
from driftloop.errors import UserError
from driftloop.monitoring.drift import drift_reports
from driftloop.monitoring.evidence import Evidence
from driftloop.monitoring.performance import performance_reports
from driftloop.monitoring.policy import PolicyState, decide
from driftloop.project.model import Project
from driftloop.project.reading import parse_project
from driftloop.project.rules import Policy
from driftloop.statistics.distances import STATISTICS, Distance, Statistic
from driftloop.statistics.intervals import paired_gain
from driftloop.statistics.metrics import METRICS, ModelOutput
from driftloop.statistics.task_metric import Form, Metric
from driftloop.training.candidates import choose

ROOT = Path(__file__).parents[2]
SOURCES = [*(ROOT / "libs").glob("*/src/**/*.py"), *(ROOT / "services").glob("*/src/**/*.py")]


def project(**changes: str) -> Project:
    """The tests' small project with some of its lines changed."""
    config = CONFIG.format(name="shop", min_new_labels=50)
    for before, after in changes.items():
        config = config.replace(before, after)
    return parse_project({"driftloop.toml": config.encode(), "pipeline.py": b"def build(): ..."}, "test")


def _wrong(labels, predictions):
    """Share of wrong answers."""
    missed = (np.asarray(labels) != np.asarray(predictions)).astype(float)
    return lambda weights: float((weights * missed).sum() / weights.sum())


@pytest.fixture
def metric(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a metric that has been added by its row: the share of wrong answers, of which less is better."""
    row = Metric("error_rate", {"binary": Form("predictions", _wrong)}, greater_is_better=False, undefined="", meaning="share of errors")
    monkeypatch.setitem(METRICS, row.name, row)
    return row.name


class TestMetricAddedByItsRow:
    def test_a_project_may_declare_it_and_is_told_of_it(self, metric: str) -> None:
        assert project(roc_auc=metric).task_metric.name == metric
        with pytest.raises(UserError, match=rf"driftloop.toml:\d+: 'errors' is no metric; use .* or {metric}"):
            project(roc_auc="errors")

    def test_a_window_is_measured_by_it(self, metric: str) -> None:
        truth = np.arange(100) % 2 == 0
        times = pa.array([START] * 100, pa.timestamp("us", tz="UTC"))
        rows = pa.table(
            {
                "event_time": times,
                "prediction": truth ^ (np.arange(100) < 10),
                "score": np.full(100, 0.5),
                "model_version": [1] * 100,
                "label": truth,
                "label_time": pa.array([START + timedelta(minutes=1)] * 100, times.type),
            }
        )
        together, _ = performance_reports(project(roc_auc=metric), window(0), rows, 1, 1)
        assert (together.metric, together.measured.value) == (metric, pytest.approx(0.1))

    def test_candidates_compete_by_it_and_the_better_one_gains(self, metric: str) -> None:
        of = project(roc_auc=metric).task_metric
        results = [CandidateResult(recipe=r, rows=1, metric=m, seconds=0) for r, m in (("all", 0.3), ("last:2", 0.1), ("last:5", 0.4))]
        assert choose(results, 0.01, of).recipe == "last:2"
        truth = np.arange(200) % 2 == 0
        good, bad = (ModelOutput(truth ^ (np.arange(200) % n == 0), np.zeros(200)) for n in (20, 4))
        gain = paired_gain(of, truth, good, bad, confidence=0.8, seed=0)
        assert (gain.candidate, gain.champion, gain.gain) == (pytest.approx(0.05), pytest.approx(0.25), pytest.approx(0.2))
        assert gain.lower > 0

    def test_the_policy_asks_for_a_model_when_it_rises(self, metric: str) -> None:
        policy, state, answers = Policy(triggers=("performance",), min_new_labels=1), PolicyState(), []
        for day, value in enumerate((0.2, 0.1, 0.3)):
            measured = Interval(value=value, lower=value, upper=value)
            known = Evidence(window=window(day), version=1, rows=9, labelled=9, drifted=False, metric=metric, measured=measured)
            state, decision = decide(policy, state, known)
            answers.append(decision.accepted)
        assert answers == [False, False, True]

    def test_the_reference_page_has_it(self, metric: str) -> None:
        assert f"| `{metric}` | boolean: predictions | lower | – | share of errors |" in reference.page()


@Distance
def _largest_change(pairs):
    """The largest change of a slot's share."""
    return np.where(pairs.said, np.abs(pairs.p - pairs.q).max(axis=-1), 0.0)[()]


@pytest.fixture
def statistic(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a drift statistic that has been added by its row."""
    row = Statistic("largest_change", _largest_change, frozenset({"ordered", "category"}), None, "share", "largest change of a share")
    monkeypatch.setitem(STATISTICS, row.name, row)
    return row.name


class TestStatisticAddedByItsRow:
    def test_a_window_is_reported_with_it_and_alarms_where_the_project_says(self, statistic: str) -> None:
        window_counts = of_rows(make_rows(project(), [START] * 500, seed=2))

        def report(of: Project):
            [made] = drift_reports(of, window_counts.window, 0, {0: window_counts}, lambda _: (DIGEST, PROFILE))
            return made

        calm = report(project())
        moved = {name: drift.statistics[statistic] for name, drift in calm.features.items()}
        assert all(value > 0 for value in moved.values())
        least = min(moved.values())
        alarmed = report(project(**{"bins = 16": f"bins = 16\npsi = 99\nks = 99\n{statistic} = {least}"}))
        assert {name for name, drift in alarmed.features.items() if drift.drifted} == {n for n, v in moved.items() if v > least}
        assert alarmed.thresholds[statistic] == least

    def test_a_diff_of_datasets_has_it(self, statistic: str) -> None:
        schema: StreamSchema = project().schema
        a, b = (DiffInput(name, schema, make_rows(project(), [START] * 300, seed=seed)) for name, seed in (("a", 1), ("b", 2)))
        assert all(distance.statistics[statistic] > 0 for distance in difference(a, b).features.values())

    def test_the_reference_page_has_it(self, statistic: str) -> None:
        assert f"| `{statistic}` | all | none | share | largest change of a share |" in reference.page()


def naming(names: set[str]) -> set[str]:
    """The source files in which one of the names stands as a string, in whole or before a colon."""
    return {file for file, said in strings() if said in names}


@cache
def strings() -> frozenset[tuple[str, str]]:
    """Each source file's name with each of its strings, as far as a colon: read once, there are hundreds of files."""
    trees = ((path.name, ast.parse(path.read_text(encoding="utf-8"))) for path in SOURCES)
    constants = ((name, node) for name, tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return frozenset((name, node.value.partition(":")[0]) for name, node in constants if isinstance(node.value, str))


def test_no_other_source_names_a_metric() -> None:
    by_file = {"score_metrics.py", "class_metrics.py", "number_metrics.py"}
    assert naming(set(METRICS)) == by_file
    for name in METRICS:
        assert len(naming({name})) == 1, name


def test_a_statistic_is_named_in_one_source() -> None:
    from_before_the_table = {"values.py", "assembled_window.py"}  # two have fields of their own in an event and in stored windows
    assert naming(set(STATISTICS)) == {"distances.py"} | from_before_the_table
    assert naming(set(STATISTICS) - {"psi", "ks"}) == {"distances.py"}
