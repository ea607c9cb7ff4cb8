"""The workflow that users copy names commands that there are, and its table is made of what a backtest prints."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from driftloop.cli.main import COMMANDS, Commands
from driftloop.settings import Environment

WORKFLOW = Path(__file__).parents[3] / "examples" / "github" / "retrain.yml"
JOBS: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text())["jobs"]


def scripts(job: str) -> str:
    return "\n".join(step["run"] for step in JOBS[job]["steps"] if "run" in step)


def commands() -> list[list[str]]:
    """Each call of driftloop, without what the shell makes of its output."""
    found = re.findall(r"\bdriftloop ([^\n;>]+)", scripts("backtest") + "\n" + scripts("retrain"))
    return [shlex.split(call.replace("${{ vars.DRIFTLOOP_MODEL }}", "model")) for call in found]


def test_both_jobs_call_driftloop():
    assert {call[0] for call in commands()} == {"backtest", "up", "retrain"}


@pytest.mark.parametrize("call", [c for c in commands() if c[0] in COMMANDS], ids=" ".join)
def test_every_call_is_one_that_the_command_takes(call):
    command = Commands("driftloop").get_command(None, call[0])  # type: ignore[arg-type]
    assert command is not None
    assert command.make_context(call[0], call[1:]).params


def table(tmp_path: Path, **reports: dict[str, Any]) -> list[str]:
    for name, report in reports.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(report))
    [program] = re.findall(r"<<'PYTHON' > table.md\n(.*?)\nPYTHON", scripts("backtest"), re.DOTALL)
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def policy(**values: Any) -> dict[str, Any]:
    return {
        "name": "project",
        "mean_score": 0.7,
        "scores": [0.7],
        "retrainings": 4,
        "promotions": 2,
        "recalibrations": 0,
        "regret": None,
    } | values


def test_the_table_shows_both_sides(tmp_path):
    rows = table(tmp_path, before={"policies": [policy()]}, after={"policies": [policy(mean_score=0.71234, promotions=3)]})
    assert rows[2:] == ["| before | project | 0.7000 | 4 | 2 | 0 |", "| with this change | project | 0.7123 | 4 | 3 | 0 |"]


def test_a_new_project_has_one_side_and_a_score_that_is_not_defined_is_a_dash(tmp_path):
    assert table(tmp_path, after={"policies": [policy(mean_score=None)]})[2:] == ["| with this change | project | – | 4 | 2 | 0 |"]


def test_secrets_are_given_to_the_job_on_the_main_branch_alone():
    assert "secrets." not in yaml.safe_dump(JOBS["backtest"])
    assert JOBS["retrain"]["if"] == "github.event_name == 'push'"


def test_the_settings_are_those_that_commands_read(monkeypatch, tmp_path):
    for name in JOBS["retrain"]["env"]:
        monkeypatch.setenv(name, str(tmp_path / "key") if name.endswith("_FILE") else "http://x:1")
    (tmp_path / "key").write_text("k")
    from driftloop.installation import current_installation

    found = current_installation()
    assert (found.registry_url, found.s3.endpoint, found.s3.access_key) == ("http://x:1",) * 2 + ("k",)
    assert Environment("cli").text("KAFKA_BOOTSTRAP") == found.kafka_bootstrap
