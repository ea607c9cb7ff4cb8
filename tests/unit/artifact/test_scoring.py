from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder
from tests.unit.artifact import models

from driftloop.artifact import skops_file
from driftloop.artifact.scoring import Scorer, target_values, to_frame
from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.rows.schemas import TIME
from driftloop.training.fit import without_empty

START = datetime(2026, 5, 1, tzinfo=UTC)


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


TIMES = StreamSchema(
    stream="s",
    features=(
        Feature(name="due", type="datetime"),
        Feature(name="start", type="datetime", parts=("weekday", "hour")),
        Feature(name="price", type="number"),
    ),
    target=Target(name="y", type="boolean"),
)
MOMENT = datetime(2026, 5, 3, 23, 59, 59, 500_000, tzinfo=UTC)  # a Sunday


def test_a_time_is_a_column_for_each_part_or_whole_for_the_pipelines_own_transformer():
    table = pa.table({"due": pa.array([MOMENT, None], TIME), "start": pa.array([MOMENT, None], TIME), "price": [1.0, 2.0]})
    frame = to_frame(table, TIMES)
    assert [(name, str(kind)) for name, kind in frame.dtypes.items()] == [
        ("due", "datetime64[us, UTC]"),
        ("start.weekday", "float64"),
        ("start.hour", "float64"),
        ("price", "float64"),
    ]
    assert frame.iloc[0].tolist() == [pd.Timestamp(MOMENT), 6.0, 23.0, 1.0]
    assert frame.iloc[1].isna().tolist() == [True, True, True, False]
    for other in (table.slice(0, 0), table.slice(1), pa.concat_tables([table, table]), table.to_batches()[0]):
        assert to_frame(other, TIMES).dtypes.equals(frame.dtypes)


def test_a_pipeline_scores_times_of_both_kinds_and_missing_ones():
    n = 200
    moments = [None if i % 11 == 0 else START + timedelta(hours=i) for i in range(n)]
    table = pa.table({"due": pa.array(moments, TIME), "start": pa.array(moments, TIME), "price": pa.array(np.zeros(n))})
    days = FunctionTransformer(np.asarray, kw_args={"dtype": "datetime64[D]"})
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    pipeline = make_pipeline(
        make_column_transformer((make_pipeline(days, encoder), ["due"]), remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=20, min_samples_leaf=5, random_state=0),
    )
    night = np.array([moment is not None and moment.hour < 6 for moment in moments])
    pipeline.fit(to_frame(table, TIMES), night)
    loaded = skops_file.load(skops_file.dump(pipeline), ["numpy.asarray"])
    prediction, score, _ = Scorer(loaded, TIMES).score(table)
    assert prediction.to_pylist() == night.tolist()
    assert score.null_count == 0


def test_what_stands_for_a_time_that_no_row_has_is_of_its_columns_type():
    table = pa.table({"due": pa.nulls(2, TIME), "start": pa.nulls(2, TIME), "price": pa.nulls(2, pa.float64())})
    empty = to_frame(table, TIMES)
    filled = without_empty(empty, TIMES)
    assert filled.dtypes.equals(empty.dtypes)
    assert filled.iloc[0].tolist() == [pd.Timestamp(0, tz="UTC"), 0.0, 0.0, 0.0]


def test_columns_beyond_the_features_are_left_out():
    assert list(to_frame(models.rows(2), models.SCHEMA).columns) == models.SCHEMA.feature_names


def test_one_row_scores_like_the_same_row_in_a_batch():
    scorer, table = Scorer(models.boosting(), models.SCHEMA), models.rows(60, seed=3)
    together = scorer.score(table)[1].to_pylist()
    assert together == [scorer.score(table.slice(i, 1))[1][0].as_py() for i in range(60)]


def test_a_binary_score_is_the_probability_of_true():
    model, table = models.boosting(), models.rows(300)
    prediction, score, _ = Scorer(model, models.SCHEMA).score(table)
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
    prediction, score, _ = Scorer(model, schema).score(table)
    assert prediction.type == pa.string()
    assert prediction.to_pylist() == table.column("label").to_pylist()
    assert score.to_pylist() == pytest.approx(model.predict_proba(to_frame(table, schema)).max(axis=1).tolist())


def test_a_regression_scores_with_its_prediction():
    schema = msgspec.structs.replace(models.SCHEMA, target=Target(name="stock2", type="number"))
    table = models.rows(300).drop_null()
    model = make_pipeline(make_column_transformer(("passthrough", ["stock"])), LinearRegression())
    model.fit(to_frame(table, schema), table.column("stock").to_numpy().astype(float))
    prediction, score, _ = Scorer(model, schema).score(table)
    assert prediction.to_pylist() == score.to_pylist() == pytest.approx(table.column("stock").to_pylist())


def test_rows_that_a_pipeline_cannot_score_are_null_and_do_not_hinder_others():
    table = models.rows(300)
    known = table.filter(pa.compute.is_in(table.column("colour"), pa.array(["red", "blue"])))
    strict = make_pipeline(make_column_transformer((OneHotEncoder(), ["colour"])), LogisticRegression())
    strict.fit(to_frame(known, models.SCHEMA), known.column("label").to_numpy())
    mixed = table.slice(0, 40)
    prediction, score, _ = Scorer(strict, models.SCHEMA).score(mixed)
    expected = [colour in ("red", "blue") for colour in mixed.column("colour").to_pylist()]
    assert [s is not None for s in score.to_pylist()] == expected
    assert [p is not None for p in prediction.to_pylist()] == expected
    assert not all(expected)
