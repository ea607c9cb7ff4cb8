"""Recipes fitted on rows: what each member sees, once, and what is made of them."""

from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from tests.unit.training import jobs

from driftloop.artifact.composition import Composition
from driftloop.errors import UserError
from driftloop.project.recipes import parse_recipe
from driftloop.rows.schemas import TIME
from driftloop.training.fit import TrainingRows
from driftloop.training.recipe_fits import RecipeFits
from driftloop.training.user_code import PipelineError

END = jobs.window(2).end


class Noting:
    """A pipeline that notes what it was fitted on; everybody's answer is the share of true labels, by weight."""

    made: ClassVar[list["Noting"]] = []

    def __init__(self) -> None:
        self.frame, self.weights, self.share = pd.DataFrame(), None, 0.0
        self.classes_ = np.array([False, True])
        Noting.made.append(self)

    def fit(self, X: pd.DataFrame, y: Any, sample_weight: Any = None) -> "Noting":
        self.frame, self.weights = X, sample_weight
        self.share = float(np.average(y, weights=sample_weight))
        return self

    def predict(self, X: pd.DataFrame) -> Any:
        return np.full(len(X), self.share >= 0.5)

    def predict_proba(self, X: pd.DataFrame) -> Any:
        return np.tile([1 - self.share, self.share], (len(X), 1))

    def get_params(self) -> dict[str, Any]:
        return {}

    def set_params(self, **params: Any) -> "Noting":
        return self


@pytest.fixture
def rows() -> TrainingRows:
    Noting.made = []
    return TrainingRows(jobs.rows(), jobs.project())


def fits(rows: TrainingRows, build: Any = Noting) -> RecipeFits:
    return RecipeFits(build, rows, jobs.project().windows, seed=0, threads=1)


def fitted(rows: TrainingRows, recipe: str, build: Any = Noting) -> Any:
    return fits(rows, build).fit(parse_recipe(recipe), END)


def test_a_plain_recipe_is_the_projects_own_pipeline(rows: TrainingRows) -> None:
    model = fitted(rows, "last:1")
    assert isinstance(model, Noting)
    assert list(model.frame.columns) == ["price", "colour"]
    assert model.weights is None
    assert len(model.frame) == rows.fitted(rows.between(jobs.window(2).start, END))


def test_a_decaying_fit_sees_all_rows_with_weights_that_halve(rows: TrainingRows) -> None:
    model = fitted(rows, "decay:1")
    kept = ~rows.held_out
    expected = np.repeat([0.25, 0.5, 1.0], 300)[kept]
    assert np.array_equal(model.weights, expected)
    assert len(model.frame) == kept.sum()


def test_time_is_one_more_number_of_the_fit_in_days(rows: TrainingRows) -> None:
    model = fitted(rows, "last:1+time")
    assert isinstance(model, Composition)
    frame = model.members[0].frame
    assert list(frame.columns) == ["price", "colour", "event_time"]
    assert frame["event_time"].dtype == np.float64
    first_day = (jobs.window(2).start - jobs.START).days + 19_726  # 2024-01-04
    assert first_day <= frame["event_time"].min() < first_day + 1
    assert model.last_time == frame["event_time"].max()
    assert first_day + 6 < model.last_time < first_day + 7


def test_a_mean_says_what_its_members_say_on_average(rows: TrainingRows) -> None:
    model = fitted(rows, "mean:[all, last:1+time, decay:1]")
    assert model.timed == (False, True, False)
    output = rows.output(model, rows.between(None, END))
    shares = [
        float(np.average(rows.labels[mask & ~rows.held_out])) for mask in (rows.between(None, END), rows.between(jobs.window(2).start, END))
    ]
    by_weight = float(np.average(rows.labels[~rows.held_out], weights=np.repeat([0.25, 0.5, 1.0], 300)[~rows.held_out]))
    assert output.scores == pytest.approx(np.mean([*shares, by_weight]))


def test_a_member_of_several_recipes_is_fitted_once(rows: TrainingRows) -> None:
    run = fits(rows)
    models = [run.fit(parse_recipe(text), END) for text in ("all", "last:5", "decay:4", "all+time", "mean:[all, all+time, decay:4]")]
    assert len(Noting.made) == 3
    assert models[0] is models[1] is models[4].members[0]
    assert (models[2], models[3].members[0]) == (models[4].members[2], models[4].members[1])
    run.forget()
    run.fit(parse_recipe("all"), END)
    assert len(Noting.made) == 4


def test_what_differs_in_rows_weights_or_time_is_fitted_by_itself(rows: TrainingRows) -> None:
    run = fits(rows)
    for text in ("all", "all+time", "last:1", "decay:1", "decay:2", "decay:1+time"):
        run.fit(parse_recipe(text), END)
    run.fit(parse_recipe("decay:1"), jobs.window(1).end)
    assert len(Noting.made) == 7


def test_weights_are_as_of_the_end_of_the_fit_even_where_the_rows_are_the_same(rows: TrainingRows) -> None:
    """A window without rows at the end makes all rows older."""
    run = fits(rows)
    now, later = (run.fit(parse_recipe("decay:1"), end) for end in (END, jobs.window(3).end))
    assert np.array_equal(later.weights, now.weights / 2)


def test_the_member_that_cannot_be_fitted_is_named_and_not_tried_again(rows: TrainingRows) -> None:
    tried = []

    def build() -> Any:
        tried.append(1)
        raise RuntimeError("no such table")

    run = fits(rows, build)
    for text, said in (
        ("all", "^fitting all raised RuntimeError: no such table"),
        ("mean:[all, decay:4]", "^member all: fitting all raised RuntimeError: no such table"),
    ):
        with pytest.raises(PipelineError, match=said) as info:
            run.fit(parse_recipe(text), END)
        assert "Traceback" in info.value.detail
    assert len(tried) == 1


def test_a_pipeline_that_takes_no_weights_is_no_candidate_for_decay(rows: TrainingRows) -> None:
    class Weightless(Noting):
        def fit(self, X: pd.DataFrame, y: Any) -> "Weightless":  # type: ignore[override]
            return self

    with pytest.raises(
        UserError, match=r"^member decay:4: decay:4 needs an estimator whose fit takes sample_weight; Weightless takes none"
    ):
        fitted(rows, "mean:[all, decay:4]", Weightless)


def test_the_newest_row_fitted_on_is_the_last_training_time(rows: TrainingRows) -> None:
    """Not the newest of all: that may be held out."""
    table = jobs.rows()
    newest = pa.array([*table.column("event_time").to_pylist()[:-1], END - jobs.WINDOW / 1000], TIME)
    held = np.flatnonzero(rows.held_out)[0]
    entity = pa.array([*table.column("entity").to_pylist()[:-1], table.column("entity")[int(held)].as_py()])
    table = table.set_column(table.column_names.index("event_time"), "event_time", newest)
    table = table.set_column(table.column_names.index("entity"), "entity", entity)
    rows = TrainingRows(table, jobs.project())
    assert rows.held_out[-1]
    model = fitted(rows, "all+time")
    assert model.last_time == rows.days[~rows.held_out].max() < rows.days.max()


def test_within_a_window_the_newest_row_is_one_of_those_that_are_fitted() -> None:
    """Its times end at the newest row of the even quarters: what it says of later ones is as of then."""
    table = jobs.rows()
    rows = TrainingRows(table, jobs.project())
    recipe = parse_recipe("newest+time")
    fitted = rows.between(jobs.window(2).start, END) & (rows.quarter % 2 == 0) & ~rows.held_out
    upto = np.flatnonzero(rows.quarter % 2 == 1)[-1] + 1  # the newest row of the window is not fitted on
    rows = TrainingRows(table.slice(0, int(upto)), jobs.project())
    model = fits(rows).fit(recipe, END, within=True)
    assert model.last_time == rows.days[fitted[:upto]].max() < rows.days.max()
