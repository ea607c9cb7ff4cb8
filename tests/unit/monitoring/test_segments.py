"""Performance is told by category of the features that a project declares, however the rows are ordered."""

from datetime import timedelta

import hypothesis.strategies as st
import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from sklearn.metrics import brier_score_loss
from tests.unit.monitoring.traffic import CONFIG, START, window

from driftloop.errors import UserError
from driftloop.monitoring.performance import columns, content_digest, performance_reports
from driftloop.monitoring.segments import MOST_CATEGORIES, segments
from driftloop.project.reading import parse_project

RNG = np.random.default_rng(8)
N = 400
TRUTH, SCORE = RNG.random(N) < 0.4, RNG.random(N)
COUNTRY = np.array(["at", "de", "fr", None], object)[RNG.choice(4, N, p=(0.5, 0.3, 0.15, 0.05))]


def project(declared: str = 'segments = ["country"]', metric: str = "brier"):
    config = (
        CONFIG.format(name="shop", min_new_labels=50).replace("bins = 16", f"bins = 16\n{declared}").replace('"roc_auc"', f'"{metric}"')
    )
    return parse_project({"driftloop.toml": config.encode(), "pipeline.py": b"def build(): ..."}, "test")


def rows(country=COUNTRY, unlabelled=None) -> pa.Table:
    times = pa.array([START] * len(country), pa.timestamp("us", tz="UTC"))
    n = len(country)
    return pa.table(
        {
            "event_time": times,
            "prediction": pa.array(SCORE[:n] > 0.5),
            "score": pa.array(SCORE[:n]),
            "model_version": pa.array([1] * n),
            "country": pa.array(country, pa.string()),
            "label": pa.array(TRUTH[:n], mask=unlabelled),
            "label_time": pa.array([START + timedelta(minutes=1)] * n, times.type, mask=unlabelled),
        }
    )


def told(table: pa.Table, of=None):
    return list(performance_reports(of or project(), window(0), table, 1, 1))


def test_each_category_is_measured_with_its_own_coverage_and_delay():
    unlabelled = (COUNTRY == "de") & (np.arange(N) % 2 == 0)
    together, of_version = told(rows(unlabelled=unlabelled))
    assert [s.value for s in together.segments] == ["at", "de", "fr", None]
    for found, again in zip(together.segments, of_version.segments, strict=True):
        there = np.array([c == found.value for c in COUNTRY])
        known = there & ~unlabelled
        assert (found.rows, found.labelled) == (there.sum(), known.sum())
        assert found.coverage == pytest.approx(known.sum() / there.sum())
        assert found.measured.value == pytest.approx(brier_score_loss(TRUTH[known], SCORE[known]))
        assert found.measured.lower < found.measured.value < found.measured.upper
        assert found.median_label_delay_seconds == 60
        assert again == found


def test_too_many_categories_are_one_segment_together():
    many = np.array([f"c{i % 30:02}" for i in range(N)], object)
    together, _ = told(rows(many))
    named, rest = together.segments[:-1], together.segments[-1]
    assert [s.value for s in named] == [f"c{i:02}" for i in range(MOST_CATEGORIES)]
    assert (rest.value, rest.others, rest.rows) == (None, True, N - sum(s.rows for s in named))
    one_more, _ = told(rows(np.array([f"c{i % (MOST_CATEGORIES + 1):02}" for i in range(N)], object)))
    assert not any(s.others for s in one_more.segments)


def test_a_category_on_which_the_metric_is_not_defined_has_no_value():
    one_class = np.where(TRUTH, "only-true", "only-false").astype(object)
    together, _ = told(rows(one_class), project(metric="roc_auc"))
    assert [s.measured for s in together.segments] == [None, None]


def test_a_window_without_rows_or_without_the_column_has_no_segments():
    assert list(segments(project(), rows().slice(0, 0))) == []
    assert told(rows().drop_columns(["country"]))[0].segments == ()
    assert told(rows(), project(""))[0].segments is msgspec.UNSET


def test_segments_are_read_and_a_report_with_other_ones_tells_something_new():
    assert columns(project()) == ("event_time", "prediction", "score", "model_version", "country")
    report, _ = told(rows())
    moved = (msgspec.structs.replace(report.segments[0], labelled=1), *report.segments[1:])
    assert content_digest(report) != content_digest(msgspec.structs.replace(report, segments=moved))


@settings(deadline=None)
@given(st.permutations(range(60)))
def test_the_order_of_rows_changes_no_segment(order):
    table = rows(COUNTRY[:60])
    found, again = (
        [(s.value, s.others, s.rows.num_rows, sorted(s.rows.column("score").to_pylist())) for s in segments(project(), t)]
        for t in (table, table.take(order))
    )
    assert found == again


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ('segments = ["amount"]', "'amount' is no category feature; those are country"),
        ('segments = ["carrier"]', "'carrier' is no category feature"),
        ('segments = ["country", "country"]', "3 features at most, each once"),
    ],
)
def test_a_segment_that_cannot_be_is_named_with_its_line(declared, words):
    with pytest.raises(UserError, match=words) as info:
        project(declared)
    assert "driftloop.toml:21:" in str(info.value)
