"""What a run says for correcting answers: estimated on its window, judged by what the run before had estimated."""

from typing import Any

import msgspec
import numpy as np
import pytest
from tests.unit.training import jobs

from driftloop.contracts.recalibration import Recalibration, RecalibrationProposal, StrengthLoss
from driftloop.project.model import Project
from driftloop.registry.recalibration import accept
from driftloop.statistics.metrics import ModelOutput
from driftloop.statistics.recalibration import apply
from driftloop.training.choosing import Chosen
from driftloop.training.judging import JudgedRows
from driftloop.training.recalibrating import EarlierProposals, Recalibrating, strength

ROWS = 600
NOTHING = EarlierProposals()
NUMBERS = jobs.CONFIG.replace('name = "bought"\ntype = "boolean"\nmetric = "roc_auc"', 'name = "spent"\ntype = "number"\nmetric = "rmse"')


def project(**promotion: Any) -> Project:
    of = jobs.project(config=NUMBERS)
    return msgspec.structs.replace(of, promotion=msgspec.structs.replace(of.promotion, **promotion))


def rows(n: int, level: float) -> tuple[JudgedRows, ModelOutput]:
    """A window whose labels lie ``level`` above what the champion says, on average."""
    rng = np.random.default_rng(n)
    said = rng.normal(10, 3, ROWS)
    labels = said + level + rng.normal(0, 1, ROWS)
    keys = np.arange(ROWS) % 97
    return JudgedRows.of(jobs.window(n), labels, keys, keys % 4, candidates=2), ModelOutput(said, said)


def run(
    n: int, level: float, before: EarlierProposals = NOTHING, in_force: Recalibration | None = None, **promotion: Any
) -> dict[str, RecalibrationProposal]:
    """The proposals of a run on window n; its candidate says 1 more than the champion."""
    window, champion = rows(n, level)
    run = Recalibrating(project(**promotion), window, champion, np.ones(ROWS, dtype=bool), in_force, before, 0)
    ours = ModelOutput(champion.predictions + 1, champion.scores + 1)
    return {proposal.of: proposal for proposal in run.proposals(Chosen("all", ours, window))}


def earlier(found: dict[str, RecalibrationProposal], of: str = "champion") -> EarlierProposals:
    return EarlierProposals(found[of], found["candidate"])


def test_the_first_run_estimates_and_proposes_nothing() -> None:
    found = run(1, 2.0)
    assert [proposal.recalibration for proposal in found.values()] == [None, None]
    assert found["champion"].full.shift == pytest.approx(2, abs=0.15)
    assert found["candidate"].full.shift == pytest.approx(1, abs=0.15)
    assert (found["champion"].losses, found["champion"].gain) == ((), None)
    assert accept(found["champion"], project().promotion) == (True, "no correction: no window has judged one yet")


def test_the_next_run_judges_by_what_the_one_before_estimated_and_proposes_what_it_estimates_itself() -> None:
    first = run(1, 2.0)
    found = run(2, 3.0, earlier(first))["champion"]
    assert found.losses[0].window == jobs.window(2)
    residual = 3.0
    assert [found.losses[0].none, found.losses[0].half, found.losses[0].full] == pytest.approx(
        [residual**2 + 1, (residual - 1) ** 2 + 1, (residual - 2) ** 2 + 1], rel=0.1
    )
    assert found.recalibration is not None
    assert (found.recalibration.strength, found.recalibration.shift) == (1.0, found.full.shift)
    assert found.full.shift == pytest.approx(3, abs=0.15)
    # an error of √10 without, √2 with the 2 of before
    assert found.gain == pytest.approx(np.sqrt(10) - np.sqrt(2), abs=0.1)
    assert found.gain_lower is not None
    assert 0 < found.gain_lower < found.gain
    assert (found.judged_window, found.judged_rows) == (jobs.window(2), ROWS)
    assert accept(found, project().promotion).accepted


def test_a_candidate_that_was_promoted_goes_on_from_its_own_estimate() -> None:
    first = run(1, 2.0)
    promoted = run(2, 1.0, earlier(first, "candidate"))
    assert promoted["champion"].losses[0].full == pytest.approx(1, rel=0.1)  # 1 was estimated of it, and 1 it was
    third = run(3, 1.0, earlier(promoted))
    assert [each.window for each in third["champion"].losses] == [jobs.window(2), jobs.window(3)]


def test_what_helped_on_average_and_does_harm_on_the_newest_window_is_no_longer_proposed() -> None:
    first = run(1, 4.0)
    second = run(2, 4.0, earlier(first))
    back = run(3, 0.0, earlier(second))["champion"]  # the level is where it was when the champion was fitted
    assert strength(back.losses) > 0
    assert back.gain is not None
    assert back.gain < -1
    assert back.recalibration is None
    verdict = accept(back, project().promotion)
    assert verdict.accepted
    assert "on the newest window it would have lost" in verdict.reason


def test_nobody_has_to_decide_about_a_correction_that_cannot_move_the_metric() -> None:
    """ROC AUC is of the order of scores alone, and this correction keeps it."""
    before = NOTHING
    for n in (1, 2):
        rng = np.random.default_rng(n)
        scores = rng.uniform(0.3, 0.9, ROWS)
        labels = rng.uniform(0, 1, ROWS) < scores - 0.25  # overrated, all of them
        keys = np.arange(ROWS) % 97
        window = JudgedRows.of(jobs.window(n), labels, keys, keys % 4, candidates=2)
        said = ModelOutput(scores >= 0.5, scores)
        found = Recalibrating(jobs.project(), window, said, np.ones(ROWS, dtype=bool), None, before, 0).proposals(
            Chosen("all", said, window)
        )[0]
        before = EarlierProposals(found, found)
    assert strength(found.losses) == 1
    assert (found.gain, found.recalibration) == (0, None)
    assert accept(found, jobs.project().promotion) == (True, "no correction: on the newest window it would not have moved roc_auc")


def test_rows_that_the_champion_was_fitted_on_say_nothing_of_its_answers() -> None:
    window, champion = rows(1, 2.0)
    wild = ModelOutput(champion.predictions.copy(), champion.scores.copy())
    wild.scores[:300] += 1e6
    unseen = np.arange(ROWS) >= 300
    first = Recalibrating(project(), window, champion, unseen, None, NOTHING, 0).proposals(Chosen("all", champion, window))[0]
    other = Recalibrating(project(), window, wild, unseen, None, NOTHING, 0).proposals(Chosen("all", champion, window))[0]
    assert first.rows == 300
    assert first == other


def test_a_window_does_not_judge_what_was_estimated_on_it() -> None:
    """A second run on the same window, asked for by hand."""
    first = run(1, 2.0)
    second = run(2, 2.0, earlier(first))
    again = run(2, 2.0, earlier(second))
    assert again == second


def test_a_candidate_is_compared_corrected_by_half_when_the_champion_is_corrected() -> None:
    window, champion = rows(2, 2.0)
    before = earlier(run(1, 2.0))
    shift = Recalibration(kind="shift", strength=1.0, shift=2.0)
    everything = np.ones(ROWS, dtype=bool)
    plain = Recalibrating(project(), window, champion, everything, None, before, 0)
    candidate = Chosen("all", champion, window)
    assert plain.comparable(candidate) is champion
    assert plain.served is champion
    corrected = Recalibrating(project(), window, champion, everything, shift, before, 0)
    assert before.candidate is not None
    assert corrected.served.scores.tolist() == apply(shift, champion).scores.tolist()
    half = np.asarray(before.candidate.full.shift) / 2
    assert corrected.comparable(candidate).scores == pytest.approx(champion.scores + half)
    assert Recalibrating(project(), window, champion, everything, shift, NOTHING, 0).comparable(candidate) is champion
    assert corrected.comparable(candidate._replace(rows=window.apart())) is champion, "the estimate is older than what it was fitted on"


def test_a_candidate_that_was_fitted_within_the_window_is_corrected_by_rows_that_it_has_not_seen() -> None:
    window, champion = rows(1, 2.0)
    wild = ModelOutput(champion.predictions.copy(), champion.scores.copy())
    wild.scores[window.quarter % 2 == 0] += 1e6
    runs = Recalibrating(project(), window, champion, np.ones(ROWS, dtype=bool), None, NOTHING, 0)
    found = {proposal.of: proposal for proposal in runs.proposals(Chosen("newest", wild, window.apart()))}
    assert found["candidate"].rows == int((window.quarter % 2 == 1).sum()) < found["champion"].rows == ROWS
    assert found["candidate"].full.shift == pytest.approx(2, abs=0.2)


def test_what_was_estimated_for_a_target_of_another_type_is_not_gone_on_from() -> None:
    logit = msgspec.structs.replace(run(1, 2.0)["champion"], full=Recalibration(kind="logit", strength=1.0, intercept=0.0, slope=1.0))
    assert run(2, 2.0, EarlierProposals(logit, logit)) == run(2, 2.0)


def test_a_correction_that_would_only_have_lost_is_not_judged_and_not_proposed() -> None:
    first = run(1, 2.0)
    found = run(2, -2.0, earlier(first))["champion"]
    assert (found.recalibration, found.gain, len(found.losses)) == (None, None, 1)
    verdict = accept(found, project().promotion)
    assert verdict == (True, "no correction: answers as the model gives them have lost least")


def test_a_project_can_do_without() -> None:
    assert run(1, 2.0, recalibrate=False) == {}


def test_the_weakest_of_equally_good_strengths_is_taken() -> None:
    def loss(none: float, half: float, full: float) -> StrengthLoss:
        return StrengthLoss(window=jobs.window(1), none=none, half=half, full=full, rows=1)

    assert strength(()) == 0
    assert strength((loss(1, 1, 1),)) == 0
    assert strength((loss(2, 1, 1),)) == 0.5
    assert strength((loss(2, 1, 1), loss(1, 3, 1))) == 1


def test_the_gate_asks_for_a_sure_gain_on_enough_rows() -> None:
    found = run(2, 3.0, earlier(run(1, 2.0)))["champion"]
    rules = project().promotion
    assert "fewer than the 601 required" in accept(found, msgspec.structs.replace(rules, min_rows=601)).reason
    assert "does not clear the tolerance +2.0000" in accept(found, msgspec.structs.replace(rules, tolerance=2.0)).reason
    unjudged = msgspec.structs.replace(found, gain=None, gain_lower=None)
    assert accept(unjudged, rules) == (False, "no window has judged a correction yet")
    for change in ({"gain": float("nan")}, {"gain_lower": float("inf")}):
        assert "no finite number" in accept(msgspec.structs.replace(found, **change), rules).reason
    endless = msgspec.structs.replace(found, full=Recalibration(kind="shift", strength=1.0, shift=float("nan")))
    assert accept(endless, rules) == (False, "the correction cannot be: shift is no finite number")
