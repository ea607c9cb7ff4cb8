"""Replicas share a volume and still have a name and a state of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from driftloop.contracts.services import INSTANCES
from driftloop.errors import ConfigurationError
from driftloop.service.instance import claim_slot

HOLD = """
import os, sys
from driftloop.service.instance import claim_slot
claim_slot("monitor", os.environ)
print(os.environ["DRIFTLOOP_MONITOR_INSTANCE"], flush=True)
os.execv(sys.executable, [sys.executable, "-c", "import sys; sys.stdin.read()"])
"""


def holder(state: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        env=os.environ | {"DRIFTLOOP_MONITOR_STATE_DIR": str(state)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_a_second_instance_takes_the_next_slot_and_a_killed_ones_slot_is_free_again(tmp_path: Path) -> None:
    first, name_of_first = holder(tmp_path)
    second, name_of_second = holder(tmp_path)
    first.kill()  # after its exec: the lock must have lived on
    first.communicate()
    third, name_of_third = holder(tmp_path)
    for process in (second, third):
        process.communicate("")
    assert (name_of_first, name_of_second, name_of_third) == ("monitor-0", "monitor-1", "monitor-0")


def test_a_slot_names_instance_and_state_directory(tmp_path: Path) -> None:
    variables = {"DRIFTLOOP_INGEST_STATE_DIR": str(tmp_path)}
    claim_slot("ingest", variables)
    assert variables == {"DRIFTLOOP_INGEST_STATE_DIR": f"{tmp_path}/ingest-0", "DRIFTLOOP_INGEST_INSTANCE": "ingest-0"}
    assert (tmp_path / "ingest-0").is_dir()


def test_when_all_slots_are_taken_the_setting_is_named(tmp_path: Path) -> None:
    for _ in range(INSTANCES):
        claim_slot("trainer", {"DRIFTLOOP_TRAINER_STATE_DIR": str(tmp_path)})
    with pytest.raises(ConfigurationError, match="DRIFTLOOP_TRAINER_STATE_DIR: all 10 slots"):
        claim_slot("trainer", {"DRIFTLOOP_TRAINER_STATE_DIR": str(tmp_path)})


def test_a_state_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"DRIFTLOOP_TRAINER_STATE_DIR: cannot write .*file/trainer-0: Not a directory"):
        claim_slot("trainer", {"DRIFTLOOP_TRAINER_STATE_DIR": str(tmp_path / "file")})
