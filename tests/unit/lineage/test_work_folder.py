"""Folders of reproductions: gone with the work, and after a kill with the next."""

import subprocess
import sys

import pytest

from driftloop.lineage.work_folder import work_folder

KILLED = """
import os, signal, sys
from pathlib import Path
from driftloop.lineage.work_folder import work_folder
with work_folder(Path(sys.argv[1])) as folder:
    (folder / "rows.arrow").write_bytes(b"rows")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_folder_is_gone_after_the_work_even_if_that_failed(tmp_path):
    with pytest.raises(KeyboardInterrupt), work_folder(tmp_path) as folder:
        (folder / "rows.arrow").write_bytes(b"rows")
        raise KeyboardInterrupt
    assert {path.name for path in tmp_path.iterdir()} == {"lock"}


def test_what_a_killed_process_left_is_removed_by_the_next_and_a_living_one_is_left_alone(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    left = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert len(left) == 1  # else nothing was at stake
    with work_folder(tmp_path) as first, work_folder(tmp_path) as second:
        assert {path for path in tmp_path.iterdir() if path.is_dir()} == {first, second}
