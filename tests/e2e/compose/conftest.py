"""One stack for all tests of this folder: bringing it up is the slow part."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support.docker import need_docker

HERE = Path(__file__).parent
_held = ExitStack()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator["object"]:
    """Everything in containers, healthy, the flights project registered, no rows yet."""
    need_docker()
    from tests.e2e.compose.stack import running_stack

    with _held:
        yield _held.enter_context(running_stack(tmp_path_factory.mktemp("compose") / "secrets"))


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End it with the last test that needs it: a dozen idle containers take a fifth of two cores from the tests that follow."""
    if HERE in item.path.parents and (nextitem is None or HERE not in nextitem.path.parents):
        _held.close()
