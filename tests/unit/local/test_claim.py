"""Two stacks on one folder would destroy its data."""

import subprocess
import sys
from pathlib import Path

import pytest

from driftloop.local.claim import claim_home
from driftloop.local.errors import LocalStackError


def test_a_home_has_one_stack_at_a_time(tmp_path: Path) -> None:
    with claim_home(tmp_path), pytest.raises(LocalStackError, match="a stack already runs"), claim_home(tmp_path):
        pass
    with claim_home(tmp_path):
        pass


def test_a_claim_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    code = "import os, sys; from pathlib import Path; from driftloop.local.claim import claim_home\n"
    code += "with claim_home(Path(sys.argv[1])):\n    os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == -9
    with claim_home(tmp_path):
        pass
