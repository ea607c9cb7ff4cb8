"""One stack for all tests of this folder: bringing it up is the slow part."""

from collections.abc import Iterator

import pytest
from tests.support.docker import need_docker


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator["object"]:
    """Everything in containers, healthy, the flights project registered, no rows yet."""
    need_docker()
    from tests.e2e.compose.stack import running_stack

    with running_stack(tmp_path_factory.mktemp("compose") / "secrets") as running:
        yield running
