"""One broker with every kind of security for the tests of this folder."""

from collections.abc import Iterator

import pytest
from tests.support.secured_kafka import SecuredKafka, TokenEndpoint, secured_kafka


@pytest.fixture(scope="session")
def secured() -> Iterator[SecuredKafka]:
    with secured_kafka() as broker:
        yield broker


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    made = TokenEndpoint("alice", "endpoint-secret")
    yield made
    made.close()
