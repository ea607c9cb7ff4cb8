"""What lets a canary go on, and what steps it back: by measured windows alone."""

import numpy as np
import pytest
from tests.unit.registry.canaries import STEPS, move, window
from tests.unit.registry.commands import NOW

from driftloop.contracts.values import PromotionRules
from driftloop.registry.canary_rule import verdict
from driftloop.registry.records import CanaryRecord

RULES = PromotionRules(min_rows=100, canary=STEPS, canary_windows=2)


def record(epoch: int = 1, began: int = 1) -> CanaryRecord:
    return CanaryRecord(
        epoch=epoch,
        version=2,
        champion_epoch=1,
        step=1,
        steps=STEPS,
        share=100,
        state="begun",
        began=began,
        since=NOW,
        by="ada",
        reason="r",
    )


def said(*windows, rules=RULES, now=None, **more):
    return verdict(now or record(), rules, move("judge", epoch=1, windows=windows, **more))


@pytest.mark.parametrize(
    ("windows", "step"),
    [
        ((), "stay"),
        ((window(),), "stay"),  # one of two windows
        ((window(rows=40), window(1, rows=59)), "stay"),  # 99 of 100 rows
        ((window(rows=40), window(1, rows=60)), "next"),
        ((window(), window()), "stay"),  # twice the same window
        ((window(difference=0.5, error=0.01),), "back"),  # at once, however few windows
        ((window(difference=0.5, error=0.01, rows=3),), "back"),
        ((window(difference=0.01, error=0.01), window(1, difference=0.01, error=0.01)), "next"),  # not shown
        ((window(), window(epoch=9)), "stay"),  # of no record of this canary
        ((window(difference=float("nan")), window(1)), "stay"),
        ((window(error=-1.0), window(1)), "stay"),
        ((window(difference=-1.5), window(1)), "stay"),
    ],
)
def test_the_step_that_measured_windows_lead_to(windows, step):
    assert said(*windows).step == step


def test_windows_of_an_earlier_step_are_evidence_of_harm_and_no_progress():
    now = record(epoch=3)
    earlier = tuple(window(n, epoch=1, difference=0.02, error=0.01) for n in range(6))
    assert said(*earlier, now=now).step == "back"
    assert said(*(window(n, epoch=1) for n in range(6)), now=now).step == "stay"


def test_windows_of_an_earlier_canary_are_none():
    assert said(window(difference=0.5), now=record(epoch=3, began=3)).step == "stay"


def test_what_is_tolerated_is_no_alarm():
    assert said(window(difference=0.05), window(1, difference=0.05)).step == "back"
    assert said(window(difference=0.05), window(1, difference=0.05), tolerance=0.06).step == "next"


def test_of_canaries_that_do_no_harm_at_most_alpha_are_ever_stepped_back():
    rng = np.random.default_rng(7)
    rules, stepped_back, runs = PromotionRules(min_rows=10**9, canary=STEPS), 0, 1000
    for _ in range(runs):
        seen = [window(n, difference=float(d)) for n, d in enumerate(rng.normal(0, 0.01, 12))]
        stepped_back += any(said(*seen[: n + 1], rules=rules).step == "back" for n in range(len(seen)))
    assert stepped_back <= 0.05 * runs


def test_harm_of_three_errors_is_found_within_three_windows_in_nine_of_ten_cases():
    rng = np.random.default_rng(8)
    found = 0
    for _ in range(300):
        seen = [window(n, difference=float(d)) for n, d in enumerate(rng.normal(0.03, 0.01, 3))]
        found += any(said(*seen[: n + 1]).step == "back" for n in range(3))
    assert found >= 270
