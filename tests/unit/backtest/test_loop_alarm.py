"""A policy that waits for the loss alarm is run over past windows by the same alarm."""

import msgspec
from tests.unit.backtest.test_loop import Known, loop
from tests.unit.training import jobs

from driftloop.backtest.worker import ProfileRules
from driftloop.project.model import Project
from driftloop.project.recipes import Recipe
from driftloop.project.rules import Monitoring, Policy
from driftloop.statistics.profile import HeldOutLoss, Profile


class Measured(Known):
    """Whose profile says what a good model loses on held-out rows."""

    def profile(self, recipe: Recipe, end, rules: ProfileRules) -> Profile:
        held_out = HeldOutLoss(loss="squared", rows=2000, mean=0.05, deviation=0.05, high=0.5)
        return msgspec.structs.replace(super().profile(recipe, end, rules), held_out_loss=held_out)


def project(**policy: object) -> Project:
    rules = {"triggers": ("performance",), "min_new_labels": 1} | policy
    return msgspec.structs.replace(jobs.project(), policy=Policy(**rules), monitoring=Monitoring(loss_alarm=0.4))


def test_an_attempt_is_made_once_the_loss_is_known_to_have_risen() -> None:
    result = loop(project(), Measured()).run("alarm")
    retrained = [step.retrained for step in result.steps[:-1]]
    assert (retrained[0], retrained[-1]) == (False, True)
    assert "no sign that the loss has risen" in result.steps[0].why
    assert next(step.why for step in result.steps if step.retrained).startswith("the loss has risen")


def test_a_model_that_is_as_good_as_at_training_is_left_alone() -> None:
    always = {("all", n): 6.0 for n in range(9)}
    assert loop(project(), Measured(always)).run("alarm").retrainings == 0


def test_a_dry_runs_policy_is_run_as_the_policy_that_it_would_be() -> None:
    wet, dry = (loop(project(triggers=("window",), dry_run=dry), Known()).run("p") for dry in (False, True))
    assert dry.retrainings == wet.retrainings > 0
