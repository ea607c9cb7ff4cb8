"""A row that a pipeline cannot score costs itself a prediction, and nobody else."""

import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from tests.unit.artifact import models

from driftloop.artifact import scoring
from driftloop.artifact.scoring import Scorer, to_frame
from driftloop.artifact.unscorable import Scorable
from driftloop.contracts.schema import Feature, StreamSchema, Target

N = 2000
SHOPS = StreamSchema(
    stream="s",
    features=(Feature(name="shop", type="category"), Feature(name="amount", type="number")),
    target=Target(name="y", type="boolean"),
)
KNOWN = [f"k{n}" for n in range(20)]
STRICT = make_pipeline(make_column_transformer((OneHotEncoder(), ["shop"]), ("passthrough", ["amount"])), LogisticRegression())


def shops(n=N, seed=0):
    rng = np.random.default_rng(seed)
    return pa.table({"shop": [KNOWN[i] for i in rng.integers(0, 20, n)], "amount": rng.random(n)})


STRICT.fit(to_frame(shops(3000), SHOPS), np.arange(3000) % 2 == 0)  # refuses categories that it does not know; no number gives no score


def spoilt(table, at, *, shop=None, amount=0.5):
    """The table with these rows given another shop (a function of the row) and amount."""
    rows = table.to_pylist()
    for row in at:
        rows[row] = {"shop": rows[row]["shop"] if shop is None else shop(row), "amount": amount}
    return pa.Table.from_pylist(rows, schema=table.schema)


class Counted:
    """A pipeline that counts its calls, each of which takes some time."""

    def __init__(self, pipeline=STRICT, seconds_a_call=0.0):
        self.classes_, self.calls, self.now = np.array([False, True]), 0, 0.0
        self._pipeline, self._seconds = pipeline, seconds_a_call

    def predict_proba(self, frame):
        self.calls += 1
        self.now += self._seconds
        return self._pipeline.predict_proba(frame)

    def scorer(self, schema=SHOPS):
        return Scorer(self, schema, clock=lambda: self.now)


class Refuses:
    """Refuses rows by a rule over their numbers, which no category tells."""

    def __init__(self, rule):
        self._rule = rule

    def predict_proba(self, frame):
        if self._rule(frame["amount"].to_numpy()).any():
            raise ValueError("negative amount")
        return np.column_stack([1 - frame["amount"], frame["amount"]])


def unscored(scorer, table):
    scored = scorer.score_rows(table)
    assert scored.answer.score.is_null().to_pylist() == scored.answer.prediction.is_null().to_pylist()
    assert set(scored.unscored) == {row for row, null in enumerate(scored.answer.score.is_null().to_pylist()) if null}
    return scored.unscored


@pytest.mark.parametrize("known", [False, True], ids=["first batch", "later batch"])
@pytest.mark.parametrize("bad", [1, 10, 100])
@pytest.mark.parametrize(
    "spoil",
    [{"shop": lambda _: "new"}, {"shop": lambda row: f"new-{row}"}, {"shop": lambda _: None}, {"amount": None}],
    ids=["one category", "many categories", "no category", "no number"],
)
def test_bad_rows_cost_only_themselves(known, bad, spoil):
    pipeline = Counted()
    scorer = pipeline.scorer()
    if known:
        scorer.score(shops(seed=1))
    at = np.random.default_rng(bad).choice(N, bad, replace=False).tolist()
    table = spoilt(shops(), at, **spoil)

    scored = scorer.score_rows(table)

    assert sorted(scored.unscored) == sorted(at)
    assert {why.reason for why in scored.unscored.values()} == {"not-finite" if "amount" in spoil else "refused"}
    scores = scored.answer.score.to_pylist()
    alone = STRICT.predict_proba(to_frame(shops(), SHOPS))[:, 1]
    assert all(score is None or score == pytest.approx(alone[row]) for row, score in enumerate(scores))


@pytest.mark.parametrize("bad", [1, 20, 100])
def test_search_in_a_known_stream_calls_the_pipeline_little_more_than_once_for_each_bad_row(bad):
    pipeline = Counted()
    scorer = pipeline.scorer()
    scorer.score(shops(seed=1))
    at = np.random.default_rng(bad).choice(N, bad, replace=False).tolist()
    pipeline.calls = 0

    unscored(scorer, spoilt(shops(), at, shop=lambda _: "new"))

    assert pipeline.calls <= 3 + bad  # all together, those with nothing new, those that are new together, and each of these


@pytest.mark.parametrize("bad", [1, 10, 100])
def test_rows_that_are_refused_for_their_numbers_cost_only_themselves(bad):
    at = sorted(np.random.default_rng(bad).choice(N, bad, replace=False).tolist())
    pipeline = Counted(Refuses(lambda amount: amount < 0))

    found = unscored(pipeline.scorer(), spoilt(shops(), at, amount=-1.0))

    assert sorted(found) == at
    assert found[at[0]] == ("refused", "ValueError: negative amount")


def test_known_rows_are_scored_though_there_is_no_time_for_the_new_ones():
    pipeline = Counted(seconds_a_call=0.1)
    scorer = pipeline.scorer()
    scorer.score(shops(seed=1))
    at = list(range(0, N, 4))
    pipeline.now = 0.0

    found = unscored(scorer, spoilt(shops(), at, shop=lambda row: f"new-{row}"))

    assert sorted(found) == at
    assert {why.reason for why in found.values()} == {"refused", "no-time"}
    assert pipeline.now < scoring.SEARCH_SECONDS + 0.35  # a call that began in time is not broken off


class Broken:
    def predict_proba(self, frame):
        raise ValueError("no")


def test_search_ends_in_time_when_all_are_bad_and_gets_less_time_from_batch_to_batch():
    pipeline = Counted(Broken(), seconds_a_call=0.01)
    scorer, took = pipeline.scorer(), []
    for _ in range(8):
        pipeline.now = 0.0
        assert len(unscored(scorer, shops())) == N
        took.append(pipeline.now)

    assert took[0] < scoring.SEARCH_SECONDS + 0.05
    assert took == sorted(took, reverse=True)
    assert took[-1] < scoring.LEAST_SEARCH_SECONDS + 0.05


def test_search_gets_its_time_back():
    pipeline = Counted(Broken(), seconds_a_call=0.01)
    scorer = pipeline.scorer()
    for _ in range(8):
        scorer.score(shops())
    pipeline._pipeline = STRICT

    for _ in range(8):
        scorer.score(spoilt(shops(), [7], shop=lambda _: "new"))

    assert scorer._patience == scoring.SEARCH_SECONDS


def test_caller_in_a_hurry_takes_no_time_from_the_others():
    pipeline = Counted(Broken(), seconds_a_call=0.01)
    scorer = pipeline.scorer()

    scorer.score_rows(shops(), at_most_seconds=0.2)

    assert pipeline.now < 0.3
    assert scorer._patience == scoring.SEARCH_SECONDS


def test_score_that_is_no_number_is_no_score():
    class Endless:
        def predict(self, frame):
            return np.where(frame["amount"] > 0.5, np.inf, 1.0)

    schema = StreamSchema(stream="s", features=SHOPS.features, target=Target(name="y", type="number"))
    found = unscored(Scorer(Endless(), schema), shops(50))

    assert set(found) == {row for row, amount in enumerate(shops(50).column("amount").to_pylist()) if amount > 0.5}
    assert {why.reason for why in found.values()} == {"not-finite"}


def test_what_a_pipeline_says_is_kept_short():
    class Talkative:
        def predict_proba(self, frame):
            raise ValueError("x" * 10_000)

    (why,) = unscored(Counted(Talkative()).scorer(), shops(1)).values()

    assert len(why.detail) == 200


def test_what_was_scored_before_takes_bounded_memory(monkeypatch):
    monkeypatch.setattr("driftloop.artifact.unscorable.MAX_VALUES", 50)
    scorable = Scorable()
    for n in range(20):
        scorable.saw_batch(to_frame(pa.table({"shop": [f"{n}-{i}" for i in range(100)], "amount": [0.5] * 100}), SHOPS))

    assert scorable.new("shop", [f"{n}-{i}" for n in range(20) for i in range(100)]).count(False) == 50


def test_long_categories_are_not_kept():
    scorable = Scorable()
    tracemalloc.start()
    for n in range(20):
        scorable.saw_batch(to_frame(pa.table({"shop": [f"{n}-{i}" + "x" * 50_000 for i in range(20)], "amount": [0.5] * 20}), SHOPS))
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    assert kept < 500_000  # of 20 million characters


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c", "d", None]), st.sampled_from([0.25, 0.75, -1.0, None])), min_size=1, max_size=40),
    st.sets(st.sampled_from(["a", "b", "c", None])),
    st.booleans(),
)
def test_any_mixture_is_scored_row_by_row_as_each_row_alone(rows, refused, learned):
    class Picky:
        classes_ = np.array([False, True])

        def predict_proba(self, frame):
            shop, amount = frame["shop"], frame["amount"].to_numpy()
            if shop.isin([r for r in refused if r]).any() or (None in refused and shop.isna().any()) or (amount < 0).any():
                raise ValueError("no")
            return np.column_stack([np.full(len(frame), 0.5), np.nan_to_num(amount)])

    table = pa.Table.from_pylist([{"shop": shop, "amount": amount} for shop, amount in rows], schema=shops(1).schema)
    scorer = Scorer(Picky(), SHOPS, clock=lambda: 0.0)
    if learned:
        scorer.score(spoilt(shops(3), [0, 1, 2], shop=lambda _: "d"))

    together = scorer.score(table)[1].to_pylist()

    assert together == [Scorer(Picky(), SHOPS, clock=lambda: 0.0).score(table.slice(i, 1))[1][0].as_py() for i in range(len(rows))]


def test_models_of_the_project_keep_their_types():
    prediction, score, _ = Scorer(models.boosting(), models.SCHEMA).score(models.rows(30))

    assert (prediction.type, score.type) == (pa.bool_(), pa.float64())
