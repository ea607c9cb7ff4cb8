"""Rules from a file beside a project: some of the tables RULES, or a whole ``driftloop.toml``, of which only those are looked at."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from driftloop.errors import UserError
from driftloop.project.checks import Problem, check
from driftloop.project.conversion import converted
from driftloop.project.model import CONFIG_FILE, Project
from driftloop.project.rules import Policy
from driftloop.project.toml_lines import line_of

RULES = ("policy", "training", "promotion", "monitoring")  # tables that a policy file may have
FIXED = {"seed", "threads", "timeout", "trusted_types"}  # of [training]

# A project that says nothing of its rules.
_BARE = tomllib.loads("""
[project]
name = "bare"
model = "bare"
[stream]
name = "bare"
[features]
x = "number"
[target]
name = "y"
type = "number"
metric = "r2"
[windows]
every = "1d"
""")


def policy_text(path: Path) -> str:
    """Raises UserError."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as exc:
        raise UserError(f"{path}: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        raise UserError(f"{path}: {exc}") from exc


def with_policy(project: Project, text: str, source: str) -> Project:
    """The project under other rules: each setting in ``text`` takes the place of the project's.

    Raises UserError with file, line and remedy.
    """
    table = tomllib.loads(project.files[CONFIG_FILE].decode())
    return _under(table, project.files, text, source, RULES)


def read_policy(path: Path) -> Policy:
    """The policy alone; what the file does not say is as in a project that does not say it. Raises UserError with file, line and remedy."""
    return _under(_BARE, {}, policy_text(path), str(path), ("policy",), needed="policy").policy


def _under(
    table: Mapping[str, Any], files: dict[str, bytes], text: str, source: str, taken: tuple[str, ...], needed: str | None = None
) -> Project:
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise UserError(f"{source}: {exc}") from exc
    try:
        rules = _rules(written)
        if needed is not None and needed not in rules:
            raise Problem(needed, f"there is no {needed}: write [{needed}] and its settings below it")
        return check(converted({**table, **{name: table.get(name, {}) | rules[name] for name in taken if name in rules}}), files)
    except Problem as problem:
        raise UserError(f"{source}:{line_of(text, problem.key)}: {problem.message}") from problem


def _rules(written: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The tables RULES that a file has. Raises Problem for what a policy cannot change; in a whole project that is the project's."""
    whole, found = "project" in written, dict[str, dict[str, Any]]()
    for section, settings in written.items():
        if section not in RULES:
            if whole:
                continue
            raise Problem(section, f"a policy file has the tables {', '.join(f'[{name}]' for name in RULES)}, not {section!r}")
        if not isinstance(settings, dict):
            raise Problem(section, f"there is no {section}: write [{section}] and its settings below it")
        fixed = sorted(settings.keys() & FIXED) if section == "training" else []
        if fixed and not whole:
            raise Problem(f"training.{fixed[0]}", f"{fixed[0]!r} is the project's: policies are compared over the same fits")
        found[section] = {name: value for name, value in settings.items() if name not in fixed}
    return found
