"""What a message says: one sentence of what happened, and where to look further. Names and reasons of strangers are text on one line."""

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote

from driftloop_notifier.conditions import Condition

MAX_TEXT = 600  # characters of a sentence: reasons may have any length
NAMED = 3  # columns


class Words(NamedTuple):
    """``act``: the command to look further. ``page``: of the console, without its address."""

    text: str
    act: str
    page: str


def opened(condition: Condition) -> Words:
    says = condition.evidence
    match condition.kind:
        case "incident":
            return _of_model(condition, f"{condition.model}: {_drifted(says)} since {_minute(says.get('start'))}", "incidents", "drift")
        case "run-failed":
            text = f"{condition.model}: a training run failed: {says.get('reason')}"
            return _words(text, "driftloop models runs", "/")
        case "approval":
            text = f"{condition.model}: version {says.get('version')} waits for a person: {says.get('reason')}"
            act = f"driftloop models approve {condition.model} {says.get('version')}, or reject it"
            return _words(text, act, f"/models?model={quote(str(condition.model))}")
        case "stall" | "gap":
            return _words(f"{condition.about}: {says.get('says')}", str(says.get("act") or "driftloop status"), "/now")


def raised(condition: Condition, severity: float) -> Words:
    text = f"{condition.model}: the incident has become more severe: {severity:.2f} of 1; {_drifted(condition.evidence)}"
    return _of_model(condition, text, "incidents", "drift")


def closed(condition: Condition) -> Words:
    says, ended = condition.evidence, opened(condition)
    match condition.kind:
        case "incident" if condition.withdrawn:
            text = f"{condition.model}: late rows have taken the incident back: no window has drifted"
        case "incident":
            text = (
                f"{condition.model}: the incident is over: {_drifted(says)} from {_minute(says.get('start'))} to {_minute(says.get('end'))}"
            )
        case "run-failed":
            failures = says.get("failures", 1)
            text = f"{condition.model}: a training run has succeeded again, after {_count(failures, 'failed run')}"
        case "approval":
            text = f"{condition.model}: version {says.get('version')} waits no longer: {says.get('outcome') or 'it was decided about'}"
        case "stall" | "gap":
            text = f"{condition.about}: goes on again; it was: {says.get('says')}"
    return _words(text, ended.act if condition.kind != "approval" else f"driftloop models show {condition.model}", ended.page)


def left_out(counts: Mapping[str, int], first: datetime, last: datetime) -> Words:
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    total = _count(sum(counts.values()), "thing")
    text = f"{total} began and ended from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} while nothing could be sent: {listed}"
    return _words(text, "driftloop incidents; driftloop models runs", "/")


def test(project: str) -> Words:
    text = f"{project}: this is a test message of driftloop's; messages of this project arrive here"
    return _words(text, "driftloop notifications list", "/")


def one_line(text: str, most: int = MAX_TEXT) -> str:
    """No characters that move a cursor, turn writing around or break a line; at most so many."""
    clean = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    clean = " ".join(clean.split())
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"


def _of_model(condition: Condition, text: str, command: str, page: str) -> Words:
    return _words(text, f"driftloop {command} --model {condition.model}", f"/{page}?model={quote(str(condition.model))}")


def _words(text: str, act: str, page: str) -> Words:
    return Words(one_line(text), one_line(act), page)


def _drifted(says: Mapping[str, Any]) -> str:
    names = [one_line(name, 80) for name in says.get("columns", {})][:NAMED]
    more = len(says.get("columns", {})) + int(says.get("more_columns", 0)) - len(names)
    what = ", ".join(names) + (f" and {more} more" if more > 0 else "") or "the score"
    return f"{what} drifted in {_count(says.get('windows', 0), 'window')}, by {says.get('severity', 0.0):.2f} of 1 at most"


def _minute(time: object) -> str:
    return str(time)[:16].replace("T", " ")


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"
