"""Fixtures of the monitor's tests."""

import pytest
from tests.unit.monitor.decider_bench import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()
