"""Recorded decisions under another policy: from the topic, or from a file that `driftloop decisions --json` has written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from driftloop.client.arguments import Say
from driftloop.client.told_events import decisions
from driftloop.contracts.events import DecisionMade
from driftloop.contracts.typed import prepared
from driftloop.errors import UserError
from driftloop.monitoring.replay import Replay, replay
from driftloop.ports import Topics
from driftloop.project.policy_file import read_policy
from driftloop.project.rules import Policy


def replayed(topics: Topics, policy: Policy | Path, model: str | None, say: Say) -> Replay:
    """Raises UserError, TransientError."""
    return _replay([told.event for told in decisions(topics, model, say)], policy, model, "the record")


def replayed_journal(journal: Path, policy: Policy | Path, model: str | None = None) -> Replay:
    """``journal``: one decision a line as JSON, or one JSON list of them. Asks nobody. Raises UserError with file and line."""
    return _replay(_journal(journal), policy, model, str(journal))


def _replay(made: Sequence[DecisionMade], policy: Policy | Path, model: str | None, source: str) -> Replay:
    rules = policy if isinstance(policy, Policy) else read_policy(policy)
    models = sorted({each.model for each in made if each.kind == "retrain" and each.window is not None})
    if model is None and len(models) > 1:
        raise UserError(f"{source} has decisions of several models: name one of {', '.join(models)}")
    wanted = model or next(iter(models), None)
    if wanted not in models:
        raise UserError(f"{source} has no retrain decision{'' if wanted is None else f' of {wanted}'}; {_known(models)}")
    try:
        return replay(wanted, rules, made)
    except msgspec.ValidationError as exc:
        raise UserError(f"{source}: a retrain decision without its evidence: {exc}") from exc


def _known(models: Sequence[str]) -> str:
    return f"it has some of {', '.join(models)}" if models else "one is made when a window of a scored stream closes"


def _journal(path: Path) -> list[DecisionMade]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        raise UserError(f"{path}: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        raise UserError(f"{path}: {exc}") from exc
    if text.lstrip().startswith("["):
        return [_decision(path, f"decision {n}", entry) for n, entry in enumerate(_json(path, 1, text, list), start=1)]
    lines = ((n, line) for n, line in enumerate(text.splitlines(), start=1) if line.strip())
    return [_decision(path, str(n), _json(path, n, line, dict)) for n, line in lines]


def _json(path: Path, line: int, text: str, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(text, type=prepared(kind))
    except msgspec.MsgspecError as exc:
        raise UserError(f"{path}:{line}: {exc}; a journal holds what `driftloop decisions --json` prints, or one decision a line") from exc


def _decision(path: Path, place: str, entry: Any) -> DecisionMade:
    try:
        return msgspec.convert(entry, prepared(DecisionMade))
    except msgspec.ValidationError as exc:
        raise UserError(f"{path}:{place}: no decision: {exc}") from exc
