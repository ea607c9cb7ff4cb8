"""No test waits less than a busy machine needs, whatever it asks for."""

import time
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, settings
from tests.support import waiting
from tests.support.waiting import wait_until


def test_a_wait_ends_as_soon_as_what_it_waits_for_is_there() -> None:
    looks = iter([False, False, True])
    wait_until(lambda: next(looks), "the third look")


def test_no_wait_is_shorter_than_the_patience_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.3)
    with pytest.raises(AssertionError, match="after 0 s still waiting for what never comes"):
        wait_until(lambda: False, "what never comes", 0.0)
    looks = iter(range(1000))
    wait_until(lambda: next(looks) >= 3, "the fourth look, after 0.15 s", 0.01)


def test_an_example_may_take_as_long_as_it_takes() -> None:
    assert settings.default.deadline is None
    assert HealthCheck.too_slow in settings.default.suppress_health_check


def test_a_look_that_takes_long_leaves_the_machine_alone_for_as_long() -> None:
    looks: list[tuple[float, float]] = []

    def look() -> bool:
        began = time.monotonic()
        time.sleep(0.1)
        looks.append((began, time.monotonic()))
        return len(looks) == 3

    wait_until(look, "the third look")
    assert all(after[0] - before[1] >= before[1] - before[0] for before, after in pairwise(looks))
