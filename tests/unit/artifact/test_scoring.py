import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from tests.unit.artifact import models

from driftloop.artifact.scoring import Scorer, target_values, to_frame
from driftloop.contracts.schema import Target


def test_types_do_not_depend_on_which_rows_are_in_a_batch():
    table = models.rows(200)
    whole = [str(t) for t in to_frame(table, models.SCHEMA).dtypes]
    assert whole == ["float64", "category", "float64", "float64"]
    without_nulls = table.drop_null()
    all_null = pa.table({f.name: pa.nulls(3, f.type) for f in table.schema})
    for other in (without_nulls, all_null, table.slice(0, 0)):
        assert [str(t) for t in to_frame(other, models.SCHEMA).dtypes] == whole


def test_missing_is_nan_and_booleans_are_numbers():
    table = models.rows(3).slice(0, 0).select(["price", "colour", "stock", "sale"])
    table = pa.Table.from_pylist(
        [{"price": None, "colour": None, "stock": None, "sale": None}, {"price": 1.5, "colour": "", "stock": 2**60, "sale": True}],
        schema=table.schema,
    )
    frame = to_frame(table, models.SCHEMA)
    assert frame.iloc[0].isna().all()
    assert frame.iloc[1].tolist() == [1.5, "", float(2**60), 1.0]


def test_rows_in_many_chunks_and_in_one_give_the_same_frame():
    table = models.rows(100)
    chunked = pa.concat_tables([table.slice(i, 10) for i in range(0, 100, 10)])
    pd.testing.assert_frame_equal(
        to_frame(chunked, models.SCHEMA).astype({"colour": object}), to_frame(table, models.SCHEMA).astype({"colour": object})
    )


def test_columns_beyond_the_features_are_left_out():
    assert list(to_frame(models.rows(2), models.SCHEMA).columns) == models.SCHEMA.feature_names


def test_one_row_scores_like_the_same_row_in_a_batch():
    scorer, table = Scorer(models.boosting(), models.SCHEMA), models.rows(60, seed=3)
    together = scorer.score(table)[1].to_pylist()
    assert together == [scorer.score(table.slice(i, 1))[1][0].as_py() for i in range(60)]


def test_a_binary_score_is_the_probability_of_true():
    model, table = models.boosting(), models.rows(300)
    prediction, score = Scorer(model, models.SCHEMA).score(table)
    assert (prediction.type, score.type) == (pa.bool_(), pa.float64())
    assert prediction.to_pylist() == [p >= 0.5 for p in score.to_pylist()]
    labels = table.column("label").to_numpy()
    assert np.mean(score.to_numpy()[labels]) > np.mean(score.to_numpy()[~labels])


def test_a_multiclass_score_is_the_probability_of_the_predicted_class():
    schema = msgspec.structs.replace(models.SCHEMA, target=Target(name="kind", type="category"))
    table = models.rows(300)
    table = table.set_column(4, "label", table.column("colour").fill_null("none"))
    encoder = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["colour"]))
    model = make_pipeline(encoder, LogisticRegression()).fit(to_frame(table, schema), target_values(table.column("label"), schema))
    prediction, score = Scorer(model, schema).score(table)
    assert prediction.type == pa.string()
    assert prediction.to_pylist() == table.column("label").to_pylist()
    assert score.to_pylist() == pytest.approx(model.predict_proba(to_frame(table, schema)).max(axis=1).tolist())


def test_a_regression_scores_with_its_prediction():
    schema = msgspec.structs.replace(models.SCHEMA, target=Target(name="stock2", type="number"))
    table = models.rows(300).drop_null()
    model = make_pipeline(make_column_transformer(("passthrough", ["stock"])), LinearRegression())
    model.fit(to_frame(table, schema), table.column("stock").to_numpy().astype(float))
    prediction, score = Scorer(model, schema).score(table)
    assert prediction.to_pylist() == score.to_pylist() == pytest.approx(table.column("stock").to_pylist())


def test_rows_that_a_pipeline_cannot_score_are_null_and_do_not_hinder_others():
    table = models.rows(300)
    known = table.filter(pa.compute.is_in(table.column("colour"), pa.array(["red", "blue"])))
    strict = make_pipeline(make_column_transformer((OneHotEncoder(), ["colour"])), LogisticRegression())
    strict.fit(to_frame(known, models.SCHEMA), known.column("label").to_numpy())
    mixed = table.slice(0, 40)
    prediction, score = Scorer(strict, models.SCHEMA).score(mixed)
    expected = [colour in ("red", "blue") for colour in mixed.column("colour").to_pylist()]
    assert [s is not None for s in score.to_pylist()] == expected
    assert [p is not None for p in prediction.to_pylist()] == expected
    assert not all(expected)
