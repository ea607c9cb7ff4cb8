"""A canary's rows beside the champion's of the same time: what is compared, by which error, and that none are taken for the champion's."""

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from tests.unit.monitoring.traffic import START, make_project, make_rows, window

from driftloop.contracts.canary import VERSION_RULE, canary_rule, champion_rule
from driftloop.contracts.events import PerformanceReported
from driftloop.monitoring.canary import canary_windows, earlier_windows
from driftloop.monitoring.challengers import challenger_reports
from driftloop.monitoring.counting import split
from driftloop.monitoring.performance import no_profile
from driftloop.monitoring.window_index import WindowIndex
from driftloop.statistics.entity_means import LEAST_ENTITIES, entity_mean

PROJECT = make_project()


def answered(n=600, *, harm=0.0, epoch=1, seed=0, entities=60, share=0.3, labelled=1.0):
    """A window's joined rows: labels that scores know with some noise, the canary's ``harm`` further off."""
    rng = np.random.default_rng(seed)
    entity = rng.integers(0, entities, n)
    theirs = entity < share * entities
    label = rng.random(n) < 0.5
    error = np.clip(rng.uniform(0.1, 0.3, n) + harm * theirs, 0, 1)
    scores = np.where(label, 1 - error, error)
    rules = [canary_rule(1000, epoch) if mine else champion_rule(4, 1000, epoch) for mine in theirs]
    return pa.table(
        {
            "entity": [f"k{k}" for k in entity],
            "model_version": np.where(theirs, 2, 1),
            VERSION_RULE: rules,
            "prediction": scores >= 0.5,
            "score": scores,
            "label": pa.array(label, mask=rng.random(n) >= labelled),
        }
    )


def measured(rows, shadow=None):
    return canary_windows(PROJECT, window(0), rows, shadow, no_profile)


def test_the_difference_of_the_mean_losses_is_told_with_its_error_and_its_rows():
    rows = answered(harm=0.2)
    (found,) = measured(rows)
    label, score, theirs = (rows.column(name).to_numpy() for name in ("label", "score", "model_version"))
    losses, mine = (score - label) ** 2, theirs == 2
    assert (found.version, found.epoch, found.rows, found.champion_rows) == (2, 1, mine.sum(), (~mine).sum())
    assert found.difference == pytest.approx(losses[mine].mean() - losses[~mine].mean())
    assert 0.1 < found.difference < 0.2
    assert 0 < found.error < 0.02
    assert not found.paired


def test_each_record_is_compared_with_the_champion_of_its_own_time():
    before, after = answered(harm=0.0, epoch=1), answered(harm=0.3, epoch=2, seed=1)
    first, second = measured(pa.concat_tables([before, after]))
    assert (first.epoch, second.epoch) == (1, 2)
    assert abs(first.difference) < 0.02 < second.difference


def test_rows_without_a_label_or_a_score_are_left_out():
    rows = answered(labelled=0.5)
    (found,) = measured(rows)
    assert found.rows + found.champion_rows == 600 - rows.column("label").null_count


@pytest.mark.parametrize(
    "rows",
    [
        answered(labelled=0.0),
        answered(entities=2 * LEAST_ENTITIES, share=0.4),  # the canary has eight
        answered(share=0.0),
        answered().set_column(2, VERSION_RULE, pa.array(["champion@4"] * 600)),
        answered().set_column(2, VERSION_RULE, pa.array(["canary of a stranger"] * 600)),
        answered().set_column(2, VERSION_RULE, pa.nulls(600, pa.string())),
        answered().drop_columns([VERSION_RULE]),
    ],
)
def test_where_nothing_can_be_compared_nothing_is_told(rows):
    assert measured(rows) == ()


def test_pairs_of_answers_to_the_same_rows_are_taken_where_they_are_surer():
    rows = answered(n=4000)
    rng = np.random.default_rng(3)
    label = rng.random(500) < 0.5
    error = rng.uniform(0.1, 0.3, 500)
    shadow = pa.table(
        {
            "entity": [f"k{i % 50}" for i in range(500)],
            "model_version": [2] * 500,
            "prediction": label,
            "score": np.where(label, 1 - error - 0.01, error + 0.01),
            "champion_model_version": [1] * 500,
            "champion_prediction": label,
            "champion_score": np.where(label, 1 - error, error),
            "label": label,
        }
    )
    alone, (paired,) = measured(rows)[0], measured(rows, shadow)
    assert not alone.paired
    assert paired.paired
    assert paired.error < alone.error / 3
    assert (paired.rows, paired.champion_rows) == (alone.rows, alone.champion_rows)  # of the canary's own

    of_another = shadow.set_column(1, "model_version", pa.array([3] * 500))
    assert measured(rows, of_another) == (alone,)


def test_an_entity_counts_once_however_often_it_comes():
    values = np.random.default_rng(0).normal(0, 1, 50)
    keys = np.arange(50)
    once, often = entity_mean(values, keys), entity_mean(np.repeat(values, 20), np.repeat(keys, 20))
    assert once is not None
    assert often is not None
    assert often.error == pytest.approx(once.error)
    assert (once.rows, often.rows) == (50, 1000)
    assert once.error == pytest.approx(values.std(ddof=1) / np.sqrt(50))
    assert entity_mean(values[: LEAST_ENTITIES - 1], keys[: LEAST_ENTITIES - 1]) is None
    assert entity_mean(values[:0], keys[:0]) is None


def test_earlier_windows_are_those_before_oldest_first():
    def report(i, version, canary):
        return PerformanceReported(
            model="shop", stream="shop", version=version, window=window(i), revision=0, metric="roc_auc", measured=None, rows=0, labelled=0,
            coverage=0.0, median_label_delay_seconds=None, inferences_version=1, labels_version=1, canary=canary,
        )  # fmt: skip

    (found,) = measured(answered())
    at = {i: msgspec.structs.replace(found, window=window(i)) for i in range(4)}
    reports = [report(1, None, (at[1],)), report(0, None, (at[0],)), report(2, None, (at[2],)), report(0, 1, (at[3],))]
    assert earlier_windows([*reports, report(0, None, msgspec.UNSET)], window(2)) == [at[0], at[1]]


def test_rows_that_a_canary_answered_are_in_no_versions_counts_however_many_they_are():
    class Rows:
        def count(self, rows):
            return {"rows": rows.num_rows}

    rules = [canary_rule(5000, 1)] * 70 + [champion_rule(4, 5000, 1)] * 30
    rows = make_rows(PROJECT, [START] * 100, model_version=pa.array([2] * 70 + [1] * 30), version_rule=pa.array(rules))
    asked = []

    def counter_of(version):
        asked.append(version)
        return "digest", Rows()

    plan = WindowIndex(PROJECT.windows)
    found = {part.version: part.rows for part in split(rows, plan, counter_of)}
    assert found == {None: 70, 1: 30}
    assert asked == [1]
    assert {part.version: part.rows for part in split(rows, plan, counter_of, ruled=False)} == {2: 70, 1: 30}


def test_a_canary_that_is_the_challenger_too_is_no_pair_with_itself():
    rows = pa.table(
        {
            "entity": ["k1", "k2", "k3"],
            "model_version": [2, 2, 2],
            "prediction": [True, False, True],
            "score": [0.9, 0.1, 0.7],
            "champion_model_version": pa.array([2, 1, None]),
            "champion_prediction": [True, False, True],
            "champion_score": [0.9, 0.2, 0.7],
            "label": pa.nulls(3, pa.bool_()),
        }
    )
    assert [(report.version, report.champion, report.rows) for report in challenger_reports(PROJECT, rows)] == [(2, 1, 1)]
