"""A world per test, on the shared broker and store."""

import pytest
from tests.integration.registry.registry_process import make_world


@pytest.fixture
def world(kafka_bootstrap, s3, unique):
    return make_world(kafka_bootstrap, s3, f"m-{unique}")
