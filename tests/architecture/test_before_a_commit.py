"""`pre-commit` and `make test` ask for the same style, types and import contracts; a rule that is not asked for says what it is."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def test_pre_commit_runs_what_the_test_command_runs_first() -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\ntest: setup")[2].partition("\n\n")[0]
    first = {
        command.split(" --check")[0].removesuffix(" .") for command in re.findall(r"\$\(BIN\)/(.+)", recipe) if "pytest" not in command
    }
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    entries = {hook["entry"].removeprefix(".venv/bin/").removesuffix(" --fix") for repo in config["repos"] for hook in repo["hooks"]}
    assert entries == first


def test_every_rule_that_is_ignored_says_what_it_is() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    ignored = tomllib.loads(text)["tool"]["ruff"]["lint"]["ignore"]
    assert ignored
    for rule in ignored:
        assert re.search(rf'"{rule}",.*#.*\w', text), f"{rule} is ignored without a word"
