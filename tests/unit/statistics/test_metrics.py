"""One conformance suite for every metric of the table, on every task that it measures."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from tests.unit.statistics.labelled import CLASSES, EVERY_FORM, ROWS, Labelled, ids, perfect, value

from driftloop.contracts.class_probabilities import MAX_CLASSES
from driftloop.statistics import intervals, metrics
from driftloop.statistics.metrics import METRICS, RECORDED, ModelOutput, NoSuchMetric, check_declared, declarable, find, for_task

every_form = pytest.mark.parametrize("metric", EVERY_FORM, ids=ids)
quick = settings(deadline=None, max_examples=30)


def same(a: float | None, b: float | None) -> bool:
    return a == b if a is None or b is None else a == pytest.approx(b, rel=1e-9, abs=1e-12)


@every_form
class TestConformance:
    @quick
    @given(data=st.data())
    def test_it_is_a_finite_number_or_none_and_says_why(self, metric, data):
        of = data.draw(ROWS[metric.task])
        found = value(metric, of)
        assert found is None or (type(found) is float and np.isfinite(found))
        if intervals.value(metric, of.labels, of.output) is None:
            assert metric.why_undefined(of.labels, of.output)

    @quick
    @given(data=st.data())
    def test_a_row_of_no_weight_is_as_if_it_were_not_there(self, metric, data):
        of = data.draw(ROWS[metric.task])
        assert same(value(metric, of), value(metric, of.take(of.weights > 0)))

    @quick
    @given(data=st.data())
    def test_a_whole_weight_is_the_row_so_many_times(self, metric, data):
        of = data.draw(ROWS[metric.task])
        times = np.round(of.weights).astype(int)
        repeated = of.take(np.repeat(np.arange(len(times)), times))
        assert same(value(metric, of._replace(weights=times.astype(float))), value(metric, repeated._replace(weights=np.ones(times.sum()))))

    @quick
    @given(data=st.data())
    def test_the_order_of_the_rows_does_not_matter(self, metric, data):
        of = data.draw(ROWS[metric.task])
        order = np.array(data.draw(st.permutations(range(len(of.labels)))))
        assert same(value(metric, of), value(metric, of.take(order)))

    @quick
    @given(data=st.data(), factor=st.sampled_from([0.5, 4.0]))
    def test_only_the_proportions_of_the_weights_matter(self, metric, data, factor):
        of = data.draw(ROWS[metric.task])
        assert same(value(metric, of), value(metric, of._replace(weights=of.weights * factor)))

    @quick
    @given(data=st.data())
    def test_no_model_is_better_than_one_that_knows_the_answers(self, metric, data):
        of = data.draw(ROWS[metric.task].filter(lambda rows: "dog" not in rows.labels.tolist()))
        best, found = value(metric, perfect(of)), value(metric, of)
        assert best is None or found is None or metric.gain(best, found) >= -1e-12

    @quick
    @given(data=st.data())
    def test_labels_of_one_kind_give_a_number_or_none(self, metric, data):
        of = data.draw(ROWS[metric.task])
        one = of._replace(labels=np.repeat(of.labels[:1], len(of.labels)))
        found = value(metric, one)
        assert found is None or np.isfinite(found)

    def test_no_rows_and_no_weights_give_none(self, metric):
        of = some(metric.task)
        assert value(metric, of.take(np.zeros(0, dtype=int))) is None
        assert "none" in metric.why_undefined(of.labels[:0], of.output.where(np.zeros(0, dtype=int)))
        assert value(metric, of._replace(weights=np.zeros(len(of.labels)))) is None

    @pytest.mark.parametrize("bad", [float("nan"), float("inf"), None])
    def test_what_is_missing_or_not_finite_gives_none(self, metric, bad):
        of = some(metric.task)
        assert value(metric, of) is not None
        for spoiled in spoilt(of, metric.form.needs, bad):
            assert value(metric, spoiled) is None
            assert "not a finite number" in metric.why_undefined(spoiled.labels, spoiled.output)

    def test_numbers_at_the_end_of_the_range_do_not_break_it(self, metric):
        of = some(metric.task)
        if metric.task == "regression":
            huge = np.where(np.arange(len(of.labels)) % 2, 1e308, -1e308)
            found = value(metric, of._replace(output=ModelOutput(huge, huge)))
            assert found is None or np.isfinite(found)
        else:
            tiny = np.full(len(of.labels), 5e-324)
            found = value(metric, of._replace(output=of.output._replace(scores=tiny)))
            assert found is not None

    def test_labels_and_output_of_different_lengths_are_a_mistake(self, metric):
        of = some(metric.task)
        with pytest.raises(ValueError, match="labels for the model's output"):
            metric.weighted(of.labels[:-1], of.output)

    def test_its_interval_holds_it_and_a_better_model_gains(self, metric):
        of = some(metric.task, 60)
        interval = intervals.measure(metric, of.labels, of.output, seed=0)
        assert interval is not None
        assert interval.lower <= interval.value <= interval.upper
        gain = intervals.paired_gain(metric, of.labels, perfect(of).output, of.output, confidence=0.8, seed=0)
        assert gain is not None
        assert 0 < gain.lower <= gain.gain == pytest.approx(metric.gain(gain.candidate, gain.champion))
        back = intervals.paired_gain(metric, of.labels, of.output, perfect(of).output, confidence=0.8, seed=0)
        assert back is not None
        assert back.gain == -gain.gain < 0


def some(task: str, n: int = 8) -> Labelled:
    """Rows on which every metric is defined, and a model that errs on them now and then."""
    i, ones = np.arange(n), np.ones(n)
    if task == "binary":
        labels = i % 2 == 0
        wrong = i % 4 == 1
        return Labelled(labels, ModelOutput(labels ^ wrong, np.where(labels ^ wrong, 0.8, 0.3)), ones)
    if task == "multiclass":
        labels, guessed = (np.array([CLASSES[k % 3] for k in of], dtype=object) for of in (i, i + (i % 4 == 1)))
        probabilities = np.array([[0.6 if guess == name else 0.2 for name in CLASSES] for guess in guessed])
        return Labelled(labels, ModelOutput(guessed, probabilities.max(axis=1), probabilities, CLASSES), ones)
    labels = 1.0 + i
    return Labelled(labels, ModelOutput(labels + np.where(i % 3, 1.0, -0.5), labels), ones)


def spoilt(of: Labelled, needs: str, bad: float | None) -> list[Labelled]:
    """The rows with a bad label, and with a bad value in what the metric needs."""
    found = []
    labels = of.labels.astype(object if of.labels.dtype != float or bad is None else float)
    labels[2] = bad
    found.append(of._replace(labels=labels))
    given = getattr(of.output, needs).astype(object if getattr(of.output, needs).dtype != float or bad is None else float)
    given[2] = bad
    found.append(of._replace(output=of.output._replace(**{needs: given})))
    return found


def test_every_row_explains_itself_and_its_formulas():
    for name, row in METRICS.items():
        assert (row.name, name.isidentifier()) == (name, True)
        assert row.meaning
        assert row.forms
        for form in row.forms.values():
            assert form.formula.__doc__, name


def test_class_probabilities_that_are_not_there_make_a_metric_undefined_and_are_named():
    of = some("multiclass")
    without = of.output._replace(probabilities=None)
    for metric in (m for m in EVERY_FORM if m.form.needs == "probabilities"):
        assert intervals.value(metric, of.labels, without) is None
        assert intervals.measure(metric, of.labels, without, seed=0) is None
        assert metric.why_undefined(of.labels, without) == "without class probabilities"


def test_probabilities_have_a_column_for_each_class():
    of = some("multiclass")
    with pytest.raises(ValueError, match="3 columns of probabilities for 2 classes"):
        for_task("log_loss", "multiclass").weighted(of.labels, of.output._replace(classes=CLASSES[:2]))


def test_a_score_that_is_no_probability_has_no_loss():
    labels, output = np.array([True, False]), ModelOutput(np.array([True, False]), np.array([1.5, 0.2]))
    for name in ("log_loss", "brier"):
        metric = for_task(name, "binary")
        assert intervals.value(metric, labels, output) is None
        assert metric.why_undefined(labels, output) == "with a score that is no probability"
    assert intervals.value(for_task("roc_auc", "binary"), labels, output) == 1.0


def test_a_class_that_the_model_does_not_know_counts_as_probability_nought():
    labels = np.array(["ant", "dog"], dtype=object)
    output = ModelOutput(labels, np.ones(2), np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]), CLASSES)
    assert intervals.value(for_task("log_loss", "multiclass"), labels, output) == pytest.approx(-np.log(np.finfo(float).eps) / 2)
    assert intervals.value(for_task("brier", "multiclass"), labels, output) == 1.0
    assert intervals.value(for_task("roc_auc", "multiclass"), labels, output) == 0.5


@pytest.mark.parametrize("name", ["log_loss", "brier", "roc_auc"])
def test_a_model_that_calls_every_class_certain_has_no_metric(name):
    labels, ones = np.array(["ant", "bee", "cat"], dtype=object), np.ones((3, 3))
    metric, output = for_task(name, "multiclass"), ModelOutput(labels, np.ones(3), ones, CLASSES)
    assert intervals.value(metric, labels, output) is None
    assert intervals.paired_gain(metric, labels, output, output, confidence=0.8, seed=0) is None
    assert metric.why_undefined(labels, output) == "with class probabilities that do not add up to 1"
    assert intervals.value(metric, labels, output._replace(probabilities=ones / 3)) is not None


@pytest.mark.parametrize("name", ["log_loss", "brier", "roc_auc"])
def test_a_model_gains_nothing_by_knowing_fewer_classes(name):
    labels = np.array(["ant", "bee", "bee", "ant", "bee"] * 8, dtype=object)
    of_ant = np.linspace(0.2, 0.8, len(labels))
    two, three = np.column_stack([of_ant, 1 - of_ant]), np.column_stack([of_ant, 1 - of_ant, np.zeros(len(labels))])
    narrow, wide = (ModelOutput(labels, p.max(axis=1), p, CLASSES[: p.shape[1]]) for p in (two, three))
    gain = intervals.paired_gain(for_task(name, "multiclass"), labels, narrow, wide, confidence=0.8, seed=0)
    assert (gain.gain, gain.lower) == (0, 0)


@pytest.mark.parametrize(
    ("name", "task", "words"),
    [
        ("rocauc", "binary", "'rocauc' is no metric; use roc_auc, "),
        ("mae", "binary", "mae does not measure a boolean target; use roc_auc, "),
        ("roc_auc", "regression", "roc_auc does not measure a number target; use r2, "),
        ("average_precision", "multiclass", "average_precision does not measure a category target; use roc_auc, "),
        ("pinball", "regression", "pinball needs a quantile between 0 and 1: write 'pinball:0.9'"),
        ("pinball:1", "regression", "pinball needs a quantile between 0 and 1"),
        ("pinball:nan", "regression", "pinball needs a quantile between 0 and 1"),
        ("pinball:high", "regression", "pinball needs a quantile between 0 and 1"),
        ("mae:2", "regression", "mae takes nothing after its name"),
        ("mae:", "regression", "mae takes nothing after its name"),
        ("", "regression", "'' is no metric"),
    ],
)
def test_a_project_cannot_have_another_metric_and_reads_which_it_can(name, task, words):
    with pytest.raises(NoSuchMetric) as info:
        check_declared(name, task)
    assert words in str(info.value)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_whoever_names_no_metric_reads_all_that_there_are(task):
    with pytest.raises(NoSuchMetric) as info:
        check_declared("none", task)
    [told] = [text for text in str(info.value).split("use ") if text.startswith(declarable(task)[0])]
    assert set(told.replace(" or ", ", ").split(", ")) == set(declarable(task))


def test_a_metric_that_needs_what_is_not_recorded_is_refused(monkeypatch):
    monkeypatch.setattr(metrics, "RECORDED", frozenset({"scores", "predictions"}))
    words = "roc_auc of a category target needs class probabilities, which are not recorded; use accuracy, "
    with pytest.raises(NoSuchMetric, match=words):
        check_declared("roc_auc", "multiclass")


@pytest.mark.parametrize("needs", ["classes", "labels"])
def test_more_classes_than_a_stream_can_have_are_not_measured(needs):
    n = MAX_CLASSES + 1
    names = tuple(f"c{i:04}" for i in range(n))
    classes, labels = (names, names[:1] * n) if needs == "classes" else (names[:2], names)
    output = ModelOutput(np.array(labels, object), np.ones(n), np.full((n, len(classes)), 1 / len(classes)), classes)
    for name in ("log_loss", "roc_auc", "brier"):
        metric = for_task(name, "multiclass")
        assert intervals.value(metric, np.array(labels, object), output) is None
        assert metric.why_undefined(np.array(labels, object), output) == "of more than 1000 classes"


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_project_can_have_what_it_is_told_it_can(task):
    for name in declarable(task):
        check_declared(name, task)
        assert for_task(name, task).form.needs in RECORDED
        assert find(name).written == name


def test_labels_that_are_all_the_same_have_no_r2_however_their_mean_is_rounded():
    labels, predictions = np.array([0.1, 0.1, 0.1, 5.0]), np.array([0.2, 0.1, 0.0, 5.0])
    weighted = for_task("r2", "regression").weighted(labels, ModelOutput(predictions, predictions))
    assert weighted(np.ones(4)) is not None
    assert weighted(np.array([1.0, 1.0, 1.0, 0.0])) is None


def test_a_quantile_is_part_of_the_name():
    labels, output = np.array([1.0, 2.0, 4.0]), ModelOutput(np.array([2.0, 2.0, 2.0]), np.zeros(3))
    found = {q: intervals.value(for_task(f"pinball:{q}", "regression"), labels, output) for q in (0.1, 0.5, 0.9)}
    assert found == {0.1: pytest.approx(1.1 / 3), 0.5: pytest.approx(0.5), 0.9: pytest.approx(1.9 / 3)}
    with pytest.raises(NoSuchMetric, match="there are roc_auc, "):
        find("pinbal:0.5")
