"""A file has rows and no answers of another system."""

from pathlib import Path

import pytest
from rich.console import Console

from driftloop.errors import UserError
from driftloop.replay.run import Options, run_replay

TOML = """
[project]
name = "p"
model = "m"
served_by = "elsewhere"
[stream]
name = "s"
[features]
x = "number"
[target]
name = "y"
type = "boolean"
metric = "roc_auc"
[windows]
every = "1d"
"""


def test_rows_of_a_file_are_not_sent_where_another_system_answers(tmp_path: Path) -> None:
    (tmp_path / "driftloop.toml").write_text(TOML)
    (tmp_path / "pipeline.py").write_text("def build(): ...\n")
    with pytest.raises(UserError, match="m is served elsewhere"):
        run_replay(tmp_path, Options(None, None, None), Console(stderr=True))
