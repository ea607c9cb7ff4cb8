"""The stack that commands are about: this folder's, or the one that a demo has kept up in it, which is said."""

import logging
import os
from pathlib import Path

import pytest
from tests.support.stack_addresses import stack_addresses

from driftloop.installation import stack_home
from driftloop.local.identity import identity


def stack(home: Path, *, runs: bool) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    mine = str(identity(os.getpid())) if runs else "of a process that has ended"
    stack_addresses(home, pids={"supervisor": os.getpid()}, supervisor_identity=mine).write()
    return home


@pytest.mark.parametrize(
    ("own", "demo", "is_demo"),
    [(None, None, False), (None, True, True), (False, True, True), (True, True, False), (True, None, False), (None, False, False)],
)
def test_the_kept_demo_is_meant_while_no_other_stack_runs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    own: bool | None,
    demo: bool | None,
    is_demo: bool,
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("DRIFTLOOP_HOME", str(home))
    for folder, runs in ((home, own), (home / "demo", demo)):
        if runs is not None:
            stack(folder, runs=runs)
    with caplog.at_level(logging.INFO, "driftloop.installation"):
        assert stack_home() == (home / "demo" if is_demo else home)
    assert ("the one that a demo has kept up" in caplog.text) == is_demo
