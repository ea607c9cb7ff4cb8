"""Fixtures of the tests of windows."""

import pytest
from tests.unit.monitoring.teller import Teller


@pytest.fixture
def teller() -> Teller:
    return Teller()
