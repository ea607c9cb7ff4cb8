"""Fixtures of the tests with somebody else's topics."""

from collections.abc import Iterator

import pytest
from tests.support.schema_registry import RunningRegistry, schema_registry


@pytest.fixture(scope="session")
def registry() -> Iterator[RunningRegistry]:
    """A real schema registry; schemas are under subjects with a `unique` name."""
    with schema_registry() as running:
        yield running
