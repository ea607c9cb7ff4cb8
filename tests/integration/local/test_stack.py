"""A stack as a person meets it: one command up, one command down, nothing left behind."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.servers import shared_cache
from tests.support.waiting import wait_until

from driftloop.local.addresses import read_addresses
from driftloop.local.background import end_in_background
from driftloop.local.errors import LocalStackError
from driftloop.local.identity import identity
from driftloop.local.kafka import answers
from driftloop.local.ports import free_port_base
from driftloop.local.prepare import prepare_bucket
from driftloop.local.s3 import answers as store_answers
from driftloop.local.stack import LocalStack


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Home of a stack that is ended even if the test fails."""
    monkeypatch.setenv("DRIFTLOOP_CACHE", str(shared_cache()))
    monkeypatch.setenv("DRIFTLOOP_HOME", str(tmp_path))
    yield tmp_path
    end_in_background(tmp_path)


def bare_stack(home: Path) -> LocalStack:
    return LocalStack(home, free_port_base(), services={}, prepare=prepare_bucket)


def test_a_stack_tells_where_it_is_and_takes_that_back_when_it_ends(home: Path) -> None:
    with bare_stack(home):
        addresses = read_addresses(home)
        pids = addresses.pids
        assert answers(int(addresses.kafka_bootstrap.rpartition(":")[2]))
        assert store_answers(addresses.s3)

    assert not (home / "stack.json").exists()
    assert [name for name, pid in pids.items() if identity(pid) is not None] == ["supervisor"]


def test_secrets_are_readable_by_their_owner_only(home: Path) -> None:
    with bare_stack(home):
        modes = {path.name: path.stat().st_mode & 0o777 for path in (home / "secrets").iterdir()}

    assert modes == {"s3-access-key": 0o600, "s3-secret-key": 0o600, "s3.json": 0o600}


def test_what_was_stored_before_a_hard_end_is_there_after_it(home: Path) -> None:
    stack = bare_stack(home)
    with stack:
        assert stack.infrastructure is not None
        stack.infrastructure.kill("s3", signal.SIGKILL)
        stack.infrastructure.kill("kafka", signal.SIGKILL)
        wait_until(lambda: stack.infrastructure.restarts("s3") and stack.infrastructure.restarts("kafka"), "both restarts")
        stack.infrastructure.wait_ready(60)
        stack.refresh()

        assert read_addresses(home).pids["kafka"] == stack.infrastructure.pid("kafka")


def test_a_second_stack_in_the_same_home_is_refused(home: Path) -> None:
    with bare_stack(home), pytest.raises(LocalStackError, match="already runs"):
        bare_stack(home).start_infrastructure()
