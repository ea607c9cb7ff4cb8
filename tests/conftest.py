"""Fixtures that every test may use."""

import uuid
from collections.abc import Iterator

import pytest

from driftloop.local.s3 import S3Access
from tests.support.servers import kafka_server, running_stack, s3_server


@pytest.fixture(scope="session")
def kafka_bootstrap() -> Iterator[str]:
    """Address of a real broker. It is shared: name topics and groups with `unique`."""
    if stack := running_stack():
        yield stack["kafka_bootstrap"]
        return
    with kafka_server() as bootstrap:
        yield bootstrap


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Access]:
    """A real S3 server with a bucket. It is shared: put keys under a prefix with `unique`."""
    if stack := running_stack():
        yield S3Access(
            endpoint=stack["s3_endpoint"],
            access_key=stack["s3_access_key"],
            secret_key=stack["s3_secret_key"],
            region=stack["s3_region"],
            bucket=stack["s3_bucket"],
        )
        return
    with s3_server() as access:
        yield access


@pytest.fixture
def unique() -> str:
    """A suffix for the names of topics, groups and streams, so that tests run in any order."""
    return uuid.uuid4().hex[:10]
