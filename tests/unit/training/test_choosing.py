"""Which recipe goes on: made-up answers on one window's rows, where newest was fitted before it and within it."""

import msgspec
import numpy as np
import pytest
from tests.unit.training import jobs

from driftloop.contracts.candidates import WithinWindow
from driftloop.errors import UserError
from driftloop.statistics.metrics import ModelOutput
from driftloop.training.choosing import AGED_KEPT, Aged, Choosing, Chosen, aged, cost_of_age
from driftloop.training.judging import JudgedRows

N = 4000
LABELS = np.random.default_rng(0).normal(size=N)
KEYS = np.arange(N) % 400
ROWS = JudgedRows.of(jobs.window(1), LABELS, KEYS, KEYS % 4, candidates=2)
OF = jobs.project(config=jobs.CONFIG.replace('"boolean"\nmetric = "roc_auc"', '"number"\nmetric = "r2"'))
PROJECT = msgspec.structs.replace(OF, training=msgspec.structs.replace(OF.training, candidates=("all", "newest")))


def said(r2: float) -> ModelOutput:
    """Answers that are worth about so much R²."""
    noise = np.random.default_rng(round(1000 * abs(r2))).normal(size=N)
    answers = LABELS + noise * np.sqrt(1 - r2)
    return ModelOutput(answers, answers)


def choosing(history: float, before: float | None, within: float | None, earlier: Aged | None = None) -> tuple[Chosen | None, Choosing]:
    """``history``: R² of ``all``; ``before``, ``within``: of ``newest`` fitted on the window before, and within this one. None: no fit."""

    def output(recipe: str, inside: bool) -> ModelOutput:
        worth = history if recipe == "all" else within if inside else before
        if worth is None:
            raise UserError("it cannot be fitted")
        return said(worth)

    run = Choosing(PROJECT, ROWS, output, earlier or {})
    return run.choose(), run


STEADY = {"newest": (0.01, -0.02, 0.0)}
MOVING = {"newest": (0.5, 0.45, 0.55)}


def test_after_a_change_what_was_fitted_within_the_window_is_taken() -> None:
    chosen, run = choosing(history=0.2, before=0.2, within=0.8, earlier=STEADY)
    assert chosen is not None
    assert (chosen.recipe, chosen.rows.within) == ("newest", True)
    assert chosen.output.scores.tolist() == said(0.8).scores.tolist()
    assert [result.recipe for result in run.results] == ["all", "newest"]


def test_where_the_same_gain_was_gone_a_window_later_each_time_it_is_not() -> None:
    chosen, run = choosing(history=0.4, before=0.3, within=0.8, earlier=MOVING)
    assert chosen is not None
    assert (chosen.recipe, chosen.rows.within) == ("all", False)
    within = run.results[1].within
    assert isinstance(within, WithinWindow)
    assert within.aged[:-1] == MOVING["newest"]
    assert within.aged[-1] == pytest.approx(0.5, abs=0.1)


def test_one_change_among_earlier_runs_is_no_rule() -> None:
    chosen, _ = choosing(history=0.2, before=0.2, within=0.8, earlier={"newest": (0.0, 0.6, 0.01, -0.01, 0.02)})
    assert chosen is not None
    assert chosen.recipe == "newest"


def test_the_first_run_takes_its_own_rows_for_how_a_recipe_ages() -> None:
    fell, _ = choosing(history=0.2, before=0.2, within=0.8)
    held, _ = choosing(history=0.2, before=0.75, within=0.8)
    assert fell is not None
    assert held is not None
    assert fell.recipe == "all"
    assert held.recipe == "newest"


def test_it_has_to_be_better_by_the_margin_than_the_one_beside_it() -> None:
    chosen, run = choosing(history=0.8, before=0.8, within=0.8, earlier=STEADY)
    assert chosen is not None
    assert chosen.recipe == "all"
    within = run.results[1].within
    assert isinstance(within, WithinWindow)
    assert within.metric is not None
    assert within.beside is not None


def test_fitted_before_the_window_it_competes_as_the_others_do() -> None:
    chosen, _ = choosing(history=0.2, before=0.8, within=0.2, earlier=STEADY)
    assert chosen is not None
    assert (chosen.recipe, chosen.rows.within) == ("newest", False)


def test_who_cannot_be_fitted_is_a_result_and_what_is_known_of_it_stays() -> None:
    chosen, run = choosing(history=0.2, before=0.2, within=None, earlier=STEADY)
    assert chosen is not None
    assert chosen.recipe == "all"
    assert aged(run.results) == {"newest": STEADY["newest"]}
    chosen, run = choosing(history=0.2, before=None, within=0.8, earlier=STEADY)
    assert chosen is not None
    assert (chosen.recipe, run.results[1].error) == ("newest", "it cannot be fitted")
    assert aged(run.results) == {"newest": STEADY["newest"]}, "how it ages was not measured"


def test_of_how_it_ages_the_newest_runs_are_kept() -> None:
    _, run = choosing(0.2, 0.2, 0.8, {"newest": tuple(float(n) for n in range(AGED_KEPT))})
    assert aged(run.results)["newest"][:-1] == (1.0, 2.0, 3.0, 4.0)


def test_of_its_split_keys_half_are_fitted_on_and_the_others_choose_or_judge() -> None:
    apart = ROWS.apart()
    fitted = KEYS % 4 % 2 == 0
    sides = [set(KEYS[mask].tolist()) for mask in (fitted, apart.chooses, apart.judges)]
    assert [len(side) for side in sides] == [200, 100, 100]
    assert len(set.union(*sides)) == 400
    assert apart.not_fitted.tolist() == (~fitted).tolist()
    assert ROWS.not_fitted.all()


def several(*order: str, within: dict[str, float], earlier: Aged) -> tuple[str, bool]:
    """Among ``all`` and these, fitted within the window worth so much; before it nothing is worth more than 0.2."""
    training = msgspec.structs.replace(OF.training, candidates=("all", *order))
    run = Choosing(msgspec.structs.replace(OF, training=training), ROWS, lambda of, inside: said(within[of] if inside else 0.2), earlier)
    chosen = run.choose()
    assert chosen is not None
    for result in run.results[1:]:
        assert isinstance(result.within, WithinWindow)
        assert result.within.beside == pytest.approx(0.2, abs=0.1), "beside the one that was fitted before the window"
    return chosen.recipe, chosen.rows.within


def test_of_several_the_one_that_is_worth_most_when_it_is_a_window_old_is_taken_whatever_their_order() -> None:
    worth, alike = {"newest": 0.7, "newest+time": 0.9}, {"newest": (0.3,), "newest+time": (0.3,)}
    assert several("newest", "newest+time", within=worth, earlier=alike) == ("newest+time", True)
    assert several("newest+time", "newest", within=worth, earlier=alike) == ("newest+time", True)
    ages = {"newest": (0.0,), "newest+time": (0.4,)}
    assert several("newest", "newest+time", within=worth, earlier=ages) == ("newest", True)
    assert several("newest+time", "newest", within=worth, earlier=ages) == ("newest", True)


def test_a_metric_that_is_an_error_is_better_the_smaller_it_is() -> None:
    """What a window of age costs is above 0 also where the older one's figure is the larger."""
    of = jobs.project(config=jobs.CONFIG.replace('"boolean"\nmetric = "roc_auc"', '"number"\nmetric = "mae"'))
    of = msgspec.structs.replace(of, training=msgspec.structs.replace(of.training, candidates=("all", "newest")))
    worth = {"all": 0.2, "newest": 0.5}  # fitted before the window
    for earlier, taken in (({"newest": (0.0,)}, True), ({"newest": (5.0,)}, False)):
        run = Choosing(of, ROWS, lambda recipe, inside: said(0.9 if inside else worth[recipe]), earlier)
        chosen = run.choose()
        assert chosen is not None
        assert chosen.rows.within is taken
        assert aged(run.results)["newest"][-1] > 0.1


def test_what_too_few_rows_would_judge_is_not_taken() -> None:
    """The gate would refuse it, and the one from before is not even measured then."""

    def taken(min_rows: int, unseen: "np.typing.NDArray[np.bool_] | None" = None) -> str:
        of = msgspec.structs.replace(PROJECT, promotion=msgspec.structs.replace(PROJECT.promotion, min_rows=min_rows))
        run = Choosing(of, ROWS, lambda _, inside: said(0.9 if inside else 0.2), STEADY, unseen=unseen)
        chosen = run.choose()
        assert chosen is not None
        assert aged(run.results)["newest"][:-1] == STEADY["newest"], "how it ages is measured all the same"
        return chosen.recipe

    quarter = int((KEYS % 4 == 3).sum())
    assert (taken(quarter), taken(quarter + 1)) == ("newest", "all")
    assert taken(1, unseen=KEYS % 4 != 3) == "all", "the champion was fitted on all that would judge"


@pytest.mark.parametrize("gone", [1, 3])
def test_where_a_quarter_has_no_rows_the_one_from_before_goes_on(gone: int) -> None:
    rows = JudgedRows.of(jobs.window(1), LABELS, KEYS, np.where(gone == KEYS % 4, 0, KEYS % 4), candidates=2)
    chosen = Choosing(PROJECT, rows, lambda _, inside: said(0.9 if inside else 0.2), STEADY).choose()
    assert chosen is not None
    assert (chosen.recipe, chosen.rows.within) == ("all", False)


def test_where_the_metric_is_not_defined_on_what_would_judge_the_one_from_before_goes_on() -> None:
    labels = np.where(KEYS % 4 == 3, 1.0, LABELS)  # R² of labels that are all the same
    rows = JudgedRows.of(jobs.window(1), labels, KEYS, KEYS % 4, candidates=2)
    chosen = Choosing(PROJECT, rows, lambda _, inside: said(0.9 if inside else 0.2), STEADY).choose()
    assert chosen is not None
    assert (chosen.recipe, chosen.rows.within) == ("all", False)


def test_more_than_is_kept_is_not_believed() -> None:
    """A record of many figures cannot outvote the newest runs."""
    chosen, run = choosing(history=0.2, before=None, within=0.8, earlier={"newest": (*([9.0] * 100), *([0.0] * AGED_KEPT))})
    assert chosen is not None
    assert chosen.recipe == "newest"
    assert aged(run.results) == {"newest": (0.0,) * AGED_KEPT}


def test_why_it_cannot_be_fitted_within_the_window_is_told() -> None:
    _, run = choosing(history=0.2, before=0.2, within=None, earlier=STEADY)
    within = run.results[1].within
    assert isinstance(within, WithinWindow)
    assert (within.error, run.results[1].error) == ("it cannot be fitted", None)


def test_a_recipe_that_was_better_when_it_was_older_gets_nothing_for_it() -> None:
    chosen, _ = choosing(history=0.8, before=0.5, within=0.7, earlier={"newest": (-0.5,)})
    assert chosen is not None
    assert chosen.recipe == "all"


def test_one_change_is_no_rule_be_it_the_newest_run() -> None:
    chosen, _ = choosing(history=0.2, before=0.2, within=0.8, earlier={"newest": (0.0, 0.01, 0.9)})
    assert chosen is not None
    assert chosen.recipe == "newest"


def test_what_age_costs_is_the_largest_but_one_of_several_runs() -> None:
    """Of a year of flights, whose days have weather of their own: with a middle one, 0.137, a gain of 0.148 won in the sixth window,
    and the version was worse by 0.12 in the next."""
    assert cost_of_age((0.214, 0.12, 0.11, 0.153)) == 0.153
    assert cost_of_age((0.1, 0.2)) == cost_of_age((0.2,)) == 0.2
    flights = {"newest": (0.53, 0.4, 0.39, 0.46)}
    chosen, _ = choosing(history=0.36, before=0.3, within=0.8, earlier=flights)
    assert chosen is not None
    assert chosen.recipe == "all"


@pytest.mark.parametrize("order", [("newest", "newest+time"), ("newest+time", "newest")])
def test_of_equals_the_one_that_is_declared_first_is_taken(order: tuple[str, ...]) -> None:
    assert several(*order, within=dict.fromkeys(order, 0.8), earlier=dict.fromkeys(order, (0.0,))) == (order[0], True)


def test_a_gain_of_the_margin_itself_is_enough() -> None:
    training = msgspec.structs.replace(PROJECT.training, margin=0.0)
    run = Choosing(msgspec.structs.replace(PROJECT, training=training), ROWS, lambda _recipe, _within: said(0.5), STEADY)
    chosen = run.choose()
    assert chosen is not None
    assert (chosen.recipe, chosen.rows.within) == ("newest", True)


def test_judged_on_says_that_the_champion_was_fitted_on_some_of_the_rows_also_of_what_was_fitted_within_the_window() -> None:
    """The gate names the version then that was not fitted on the others."""
    for unseen, where in ((KEYS >= 0, "other-keys"), (KEYS < 200, "held-out")):
        found = ROWS.apart().against_champion(PROJECT, said(0.8), said(0.2), unseen, champion=1, seed=0, before=None)
        assert found is not None
        assert found.judged_on == where
