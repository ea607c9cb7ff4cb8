"""Waiting for services says whom it waited for, and stops when the wait is in vain."""

from pathlib import Path

import pytest

from driftloop.local.addresses import StackAddresses
from driftloop.local.errors import LocalStackError
from driftloop.local.readiness import wait_for_services

NOBODY = "http://127.0.0.1:9"


def stack(home: Path, log: str = "") -> StackAddresses:
    log_path = home / "ingest-0.log"
    log_path.write_text(log)
    return StackAddresses(
        home=str(home),
        port_base=29000,
        kafka_bootstrap="127.0.0.1:9",
        s3_endpoint=NOBODY,
        s3_access_key_file="",
        s3_secret_key_file="",
        s3_region="",
        s3_bucket="",
        registry_url=NOBODY,
        services={"ingest-0": NOBODY},
        log_files={"ingest-0": str(log_path)},
    )


def test_a_service_that_is_not_ready_in_time_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(LocalStackError, match=r"(?s)ingest-0 was not ready after 0 s.*waiting-for-project"):
        wait_for_services(stack(tmp_path, "waiting-for-project"), 0.2, failures=dict)


def test_the_wait_ends_when_the_supervisor_has_given_up(tmp_path: Path) -> None:
    with pytest.raises(LocalStackError, match="monitor-0 died"):
        wait_for_services(stack(tmp_path), 60, failures=lambda: {"monitor-0": "monitor-0 died"})


def test_the_wait_ends_when_the_stack_has(tmp_path: Path) -> None:
    with pytest.raises(LocalStackError, match="the stack ended"):
        wait_for_services(stack(tmp_path), 60)


def test_whom_it_waits_for_is_told_once(tmp_path: Path) -> None:
    told: list[str] = []
    with pytest.raises(LocalStackError):
        wait_for_services(stack(tmp_path), 0.5, failures=dict, say=told.append)
    assert told == ["waiting for ingest-0"]
