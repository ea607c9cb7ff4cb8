"""A policy alone, from a file with a table ``[policy]``: a ``driftloop.toml``, or one that holds nothing else."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from driftloop.contracts.typed import prepared
from driftloop.contracts.windows import parse_duration
from driftloop.errors import UserError
from driftloop.project.allowed_values import allowed_values
from driftloop.project.policy_check import problems
from driftloop.project.rules import Policy
from driftloop.project.toml_lines import line_of


class _PolicyFile(msgspec.Struct):
    policy: Policy


def read_policy(path: Path) -> Policy:
    """What the file does not say is as in a project that does not say it. Raises UserError with file, line and remedy."""
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except OSError as exc:
        raise UserError(f"{path}: {exc.strerror or exc}") from exc
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise UserError(f"{path}: {exc}") from exc
    found = _first_problem(table)
    if isinstance(found, Policy):
        return found
    key, message = found
    raise UserError(f"{path}:{line_of(text, key)}: {message}")


def _first_problem(table: dict[str, Any]) -> Policy | tuple[str, str]:
    written = table.get("policy")
    if not isinstance(written, dict):
        return "policy", "there is no policy: write [policy] and its settings below it"
    for key in written:
        if key not in Policy.__struct_fields__:
            return f"policy.{key}", f"unknown setting {key!r}; [policy] knows {', '.join(Policy.__struct_fields__)}"
    try:
        policy = msgspec.convert({"policy": written}, type=prepared(_PolicyFile)).policy
    except msgspec.ValidationError as exc:
        message, _, place = str(exc).partition(" - at ")
        key = place.strip("`").removeprefix("$").lstrip(".")
        allowed = allowed_values(_PolicyFile, key)
        return key, f"{key}: {message}" + (f"; one of {', '.join(allowed)}" if allowed else "")
    for key in ("cooldown", "budget_period"):
        try:
            parse_duration(getattr(policy, key))
        except (ValueError, OverflowError) as exc:
            return f"policy.{key}", f"policy.{key}: {exc}"
    return next(((f"policy.{key}", message) for key, message in problems(policy)), policy)
