"""Why a row got its score: each input replaced by values of the training data."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tests.unit.artifact import models

from driftloop.artifact.explanation import METHOD, REFERENCES, explain, reference_values, replaced
from driftloop.artifact.scoring import Scorer, to_frame
from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.statistics.histograms import build_profile
from driftloop.statistics.profile import Column, Profile


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(models.boosting(), models.SCHEMA)


@pytest.fixture(scope="module")
def profile(scorer: Scorer) -> Profile:
    table = models.rows()
    return build_profile(table, scorer.score(table).score.to_numpy(), models.SCHEMA, 16)


def row(**values: object) -> pa.Table:
    return models.rows(1).schema.empty_table().from_pylist([values], schema=models.rows(1).schema)


def test_what_the_label_follows_counts_and_what_it_does_not_does_not(scorer: Scorer, profile: Profile) -> None:
    dear, cheap = (explain(scorer, profile, row(price=price, colour="red", stock=3, sale=False)) for price in (18.0, 4.0))
    assert dear.method == METHOD
    assert dear.contributions[0].input == "price"
    assert dear.contributions[0].change > 0.1 > 0 > cheap.contributions[0].change
    by_name = {one.input: one for one in dear.contributions}
    assert abs(by_name["sale"].change) < 0.05
    assert by_name["price"].value == "18"
    assert dear.score == pytest.approx(scorer.score(row(price=18.0, colour="red", stock=3, sale=False)).score[0].as_py())
    for one in dear.contributions:
        assert one.least <= dear.score - one.change <= one.most


def test_a_missing_value_and_a_category_that_training_had_not_are_values_like_others(scorer: Scorer, profile: Profile) -> None:
    found = explain(scorer, profile, row(price=None, colour="ultraviolet", stock=None, sale=None))
    assert {one.input: one.value for one in found.contributions} == {"price": None, "colour": "ultraviolet", "stock": None, "sale": None}
    assert found.unknown == ()


def test_a_model_that_ignores_an_input_gives_it_nothing(profile: Profile) -> None:
    class Price:
        classes_ = np.array([False, True])

        def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
            yes = np.clip(frame["price"].fillna(0).to_numpy() / 20, 0, 1)
            return np.column_stack([1 - yes, yes])

    found = explain(Scorer(Price(), models.SCHEMA), profile, row(price=10.0, colour="red", stock=1, sale=True))
    changes = {one.input: one.change for one in found.contributions}
    assert [name for name, change in changes.items() if change] == ["price"]
    values = [value or 0.0 for value in reference_values(profile.columns["price"])]
    assert changes["price"] == pytest.approx(0.5 - np.mean(np.clip(np.array(values, dtype=float) / 20, 0, 1)))


def test_an_input_that_the_pipeline_refuses_is_named_and_the_others_are_told(profile: Profile) -> None:
    class Strict:
        classes_ = np.array([False, True])

        def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
            if set(frame["colour"].astype(object)) - {"red"}:
                raise ValueError("I know only red")
            return np.full((len(frame), 2), 0.5)

    found = explain(Scorer(Strict(), models.SCHEMA), profile, row(price=10.0, colour="red", stock=1, sale=True))
    assert "price" in {one.input for one in found.contributions}
    colour = next((one for one in found.contributions if one.input == "colour"), None)
    assert colour is None or colour.change == 0


def test_of_several_classes_it_is_the_probability_of_the_one_that_was_predicted() -> None:
    schema = StreamSchema(stream="s", features=(Feature(name="x", type="number"),), target=Target(name="y", type="category"))

    class Two:
        classes_ = np.array(["b", "a"])

        def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
            b = (frame["x"].to_numpy() > 0).astype(float)
            return np.column_stack([b, 1 - b])

    table = pa.table({"x": np.linspace(-1, 1, 100)})
    found = explain(Scorer(Two(), schema), build_profile(table, np.zeros(100), schema, 10), pa.table({"x": [0.7]}))
    assert (found.of, found.score) == ("b", 1.0)
    assert found.contributions[0].change == pytest.approx(0.5, abs=0.1)


def test_times_as_parts_and_as_a_whole_are_replaced_in_their_own_type() -> None:
    schema = StreamSchema(
        stream="s",
        features=(Feature(name="due", type="datetime"), Feature(name="at", type="datetime", parts=("hour",))),
        target=Target(name="y", type="number"),
    )
    times = pa.array(np.arange(200) * 3_600_000_000, pa.timestamp("us", tz="UTC"))
    table = pa.table({"due": times, "at": times})
    frame = to_frame(table.slice(0, 1), schema)
    profile = build_profile(table, np.zeros(200), schema, 10)
    for name in frame.columns:
        values = reference_values(profile.columns[name])
        again = replaced(frame, name, values)
        assert again.dtypes.equals(frame.dtypes)
        assert len(again) == len(values) == REFERENCES

    class Hour:
        def predict(self, frame: pd.DataFrame) -> np.ndarray:
            return frame["at.hour"].to_numpy()

    found = explain(Scorer(Hour(), schema), profile, table.slice(5, 1))
    assert [(one.input, round(one.change, 1) != 0) for one in found.contributions] == [("at.hour", True), ("due", False)]


def test_reference_values_are_as_often_as_they_were() -> None:
    categories = Column(kind="category", categories=("a", "b"), counts=(50, 100, 50, 7))
    values = reference_values(categories, 8)
    assert [values.count(value) for value in (None, "a", "b")] == [2, 4, 2]
    codes = Column(kind="ordered", low=0.0, uppers=(0.0, 1.0), counts=(0, 0, 30, 10, 0))
    assert reference_values(codes, 4) == [0.0, 0.0, 0.0, 1.0]  # a value between two codes is none
    assert reference_values(Column(kind="ordered", counts=(0, 0, 0))) == []


def test_it_asks_the_model_once_an_input(profile: Profile) -> None:
    """The work, and not the time: batches of REFERENCES rows, one an input, and the row itself."""
    batches = []

    def counted(frame: pd.DataFrame) -> pd.DataFrame:
        batches.append(len(frame))
        return frame

    pipeline = make_pipeline(FunctionTransformer(counted), *[step for _, step in models.boosting().steps])
    explain(Scorer(pipeline, models.SCHEMA), profile, row(price=10.0, colour="red", stock=1, sale=True))
    assert batches == [1, *[REFERENCES] * len(models.SCHEMA.features)]
