"""The mean of fitted members as one model: scored, stored, and read with suspicion."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from tests.unit.artifact import models

from driftloop.artifact import skops_file
from driftloop.artifact.composition import Composition
from driftloop.artifact.event_time import EVENT_TIME, event_days, with_event_time
from driftloop.artifact.scoring import Scorer, target_values, to_frame
from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.errors import IntegrityError
from driftloop.rows.schemas import TIME

START = datetime(2024, 1, 1, tzinfo=UTC)
N = 400


def timed_rows(n: int = N, seed: int = 0, start: datetime = START) -> pa.Table:
    """The rows of ``models``, one an hour; from the middle on the labels are the other way round."""
    table = models.rows(n, seed)
    label = np.asarray(table.column("label").to_pylist()) ^ (np.arange(n) >= n // 2)
    table = table.set_column(table.column_names.index("label"), "label", pa.array(label))
    return table.append_column(EVENT_TIME, pa.array([start + timedelta(hours=i) for i in range(n)], TIME))


@cache
def plain_member() -> Any:
    return models.boosting()


@cache
def timed_member() -> Any:
    table = timed_rows()
    pipeline = models.boosting()
    frame = with_event_time(to_frame(table, models.SCHEMA), event_days(table))
    return pipeline.fit(frame, target_values(table.column("label"), models.SCHEMA))


def composition() -> Composition:
    last = float(event_days(timed_rows()).max())
    return Composition((plain_member(), timed_member(), models.forest()), (False, True, False), last)


def test_the_mean_of_probabilities_and_the_class_that_follows_from_it():
    table, model = timed_rows(60, seed=1), composition()
    plain = to_frame(table, models.SCHEMA)
    timed = with_event_time(plain, event_days(table))
    by_member = [m.predict_proba(f) for m, f in zip(model.members, (plain, timed, plain), strict=True)]
    assert np.allclose(model.predict_proba(timed), np.mean(by_member, axis=0), rtol=0, atol=1e-15)
    assert np.array_equal(model.predict(timed), model.predict_proba(timed)[:, 1] > 0.5)


def test_a_composition_of_one_member_equals_the_member():
    table, member = timed_rows(60, seed=1), plain_member()
    frame = to_frame(table, models.SCHEMA)
    one = Composition((member,), (False,), 0.0)
    assert np.array_equal(one.predict_proba(frame), member.predict_proba(frame))
    assert np.array_equal(one.predict(frame), member.predict(frame))
    assert Scorer(one, models.SCHEMA).score(table) == Scorer(member, models.SCHEMA).score(table)


def trend() -> Composition:
    """A line through the event time: trees are flat beyond what they have seen, a line is not."""
    table = timed_rows()
    days = event_days(table)
    line = make_pipeline(make_column_transformer(("passthrough", [EVENT_TIME])), StandardScaler(), LogisticRegression())
    line.fit(with_event_time(to_frame(table, models.SCHEMA), days), np.arange(N) > N // 3)
    return Composition((plain_member(), line), (False, True), float(days.max()))


def test_a_row_of_the_future_is_scored_as_of_the_last_training_time():
    model, last = Scorer(trend(), models.SCHEMA), START + timedelta(hours=N - 1)
    now, later, early = (timed_rows(60, seed=1, start=at) for at in (last, START + timedelta(days=9999), START))
    assert model.score(now) == model.score(later)
    assert model.score(early) != model.score(later)


@pytest.mark.parametrize("left_out", [True, False])
def test_rows_without_an_event_time_happen_now(left_out):
    rows, model = timed_rows(20, seed=1), Scorer(composition(), models.SCHEMA)
    without = rows.drop_columns([EVENT_TIME])
    if not left_out:
        without = without.append_column(EVENT_TIME, pa.nulls(20, TIME))
    now = timed_rows(20, seed=1, start=datetime.now(UTC))  # long after the last training time
    assert model.score(without) == model.score(now)


def test_the_same_rows_in_any_batch_and_order_score_the_same():
    rows, model = timed_rows(60, seed=3), Scorer(composition(), models.SCHEMA)
    together = model.score(rows).score.to_pylist()
    assert [model.score(rows.slice(i, 1)).score[0].as_py() for i in range(60)] == together
    order = np.random.default_rng(0).permutation(60)
    assert model.score(rows.take(pa.array(order))).score.to_pylist() == [together[i] for i in order]


FRUIT = StreamSchema(stream="fruit", features=(Feature(name="colour", type="category"),), target=Target(name="kind", type="category"))


def knowing(*kinds: str) -> Any:
    """A model of several kinds of fruit, each of a colour of its own."""
    frame = pd.DataFrame({"colour": pd.Categorical([f"colour of {kind}" for kind in kinds] * 10)})
    pipeline = make_pipeline(make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["colour"])), LogisticRegression())
    return pipeline.fit(frame, np.array([*kinds] * 10))


def test_a_class_that_a_member_does_not_know_has_probability_0_from_it():
    early, late = knowing("apple", "fig", "pear"), knowing("banana", "pear")
    model = Composition((early, late), (False, False), 0.0)
    assert model.classes_.tolist() == ["apple", "banana", "fig", "pear"]
    rows = pa.table({"colour": ["colour of fig", "colour of banana"]})
    frame = to_frame(rows, FRUIT)
    found, of_early, of_late = model.predict_proba(frame), early.predict_proba(frame), late.predict_proba(frame)
    assert found[:, 0].tolist() == (of_early[:, 0] / 2).tolist()
    assert found[:, 1].tolist() == (of_late[:, 0] / 2).tolist()
    assert found[:, 3] == pytest.approx((of_early[:, 2] + of_late[:, 1]) / 2)
    assert found.sum(axis=1) == pytest.approx([1.0, 1.0])
    scored = Scorer(model, FRUIT).score(rows)
    assert scored.prediction.to_pylist() == model.predict(frame).tolist()
    assert [name for name, _ in scored.probabilities[0].as_py()] == ["apple", "banana", "fig", "pear"]


def test_numbers_are_averaged():
    schema = StreamSchema(stream="shop", features=(Feature(name="price", type="number"),), target=Target(name="stock", type="number"))
    table = models.rows(200)
    frame, y = to_frame(table, schema), np.arange(200.0)
    members = tuple(HistGradientBoostingRegressor(max_iter=n, random_state=0).fit(frame, y) for n in (3, 9))
    model = Composition(members, (False, False), 0.0)
    assert not hasattr(model, "classes_")
    assert model.predict(frame) == pytest.approx((members[0].predict(frame) + members[1].predict(frame)) / 2)
    assert Scorer(model, schema).score(table).score.to_pylist() == model.predict(frame).tolist()


def test_rows_that_no_member_can_score_cost_only_themselves():
    strict = models.fitted(
        make_pipeline(make_column_transformer((OneHotEncoder(handle_unknown="error"), ["colour"])), LogisticRegression())
    )
    rows = timed_rows(50, seed=2)
    colours = ["new" if i == 7 else c for i, c in enumerate(rows.column("colour").to_pylist())]
    rows = rows.set_column(rows.column_names.index("colour"), "colour", pa.array(colours))
    last = float(event_days(timed_rows()).max())
    scored = Scorer(Composition((strict, timed_member()), (False, True), last), models.SCHEMA).score_rows(rows)
    assert list(scored.unscored) == [7]
    assert scored.answer.score.null_count == 1


def test_what_is_stored_is_what_is_loaded():
    table, model = timed_rows(60, seed=1), composition()
    frame = with_event_time(to_frame(table, models.SCHEMA), event_days(table))
    data = skops_file.dump(model)
    again = skops_file.load(data)
    assert np.array_equal(again.predict_proba(frame), model.predict_proba(frame))
    Scorer(model, models.SCHEMA).score(table)
    assert skops_file.dump(model) == data  # scoring leaves nothing behind in it


DIGEST = """
import hashlib
from driftloop.artifact import skops_file
from tests.unit.artifact.test_composition import composition
print(hashlib.sha256(skops_file.dump(composition())).hexdigest())
"""


def test_separate_processes_write_the_same_bytes():
    def digest(hash_seed: str) -> str:
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": "1"}
        return subprocess.run([sys.executable, "-c", DIGEST], env=environment, capture_output=True, text=True, check=True).stdout

    assert digest("1") == digest("4242")


def test_a_members_tree_that_points_outside_is_refused():
    model = composition()
    model.members[2].steps[-1][1].estimators_[0].tree_.feature[0] = 99
    with pytest.raises(IntegrityError, match="outside the features"):
        skops_file.load(skops_file.dump(model))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"members": ()}, "parts do not fit together"),
        ({"timed": (True,)}, "parts do not fit together"),
        ({"timed": (1, 0, 0)}, "parts do not fit together"),
        ({"last_time": float("nan")}, "parts do not fit together"),
        ({"last_time": "then"}, "without members"),
        ({"members": None}, "without members"),
        ({"members": (3, 4, 5)}, "parts do not fit together"),
    ],
)
def test_a_composition_that_nobody_made_is_refused(change, words):
    model = composition()
    for name, value in change.items():
        setattr(model, name, value)
    with pytest.raises(IntegrityError, match=words):
        skops_file.load(skops_file.dump(model))
