"""``[[notify]]`` of ``driftloop.toml``: who is told what. What is wrong is told with the rule's place and what there is."""

from typing import Any
from urllib.parse import urlsplit

import msgspec

from driftloop.contracts.names import NAME_PATTERN
from driftloop.contracts.notify_rules import KINDS, NotifyRule
from driftloop.contracts.typed import prepared

SECTION = "notify"
MOST_RULES = 20  # each has a thread of the notifier's while something is on its way


class WrongRule(Exception):
    """``key``: of the setting, ``notify[0].events``."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key, self.message = key, message


def notify_rules(written: Any) -> tuple[NotifyRule, ...]:
    """Of the array of tables, or of nothing. Raises WrongRule."""
    if written is None:
        return ()
    if not isinstance(written, list) or not all(isinstance(one, dict) for one in written):
        raise WrongRule(SECTION, "notify is a list of rules: write [[notify]], with two brackets, and each rule's settings below its own")
    if len(written) > MOST_RULES:
        raise WrongRule(f"{SECTION}[{MOST_RULES}]", f"{len(written)} rules: at most {MOST_RULES}")
    rules = tuple(_rule(number, one) for number, one in enumerate(written))
    places: dict[str, int] = {}
    for number, rule in enumerate(rules):
        if places.setdefault(rule.destination, number) != number:
            key = f"{SECTION}[{number}]." + ("to" if rule.to else "apprise")
            raise WrongRule(key, f"two rules send to {rule.destination}: write one, with the events of both")
    return rules


def _rule(number: int, written: dict[str, Any]) -> NotifyRule:
    place = f"{SECTION}[{number}]"
    for key in written:
        if key not in NotifyRule.__struct_fields__:
            raise WrongRule(f"{place}.{key}", f"unknown setting {key!r}; [[notify]] knows {', '.join(NotifyRule.__struct_fields__)}")
    events = written.get("events", [])
    unknown = [event for event in events if event not in KINDS] if isinstance(events, list) else []
    if unknown:
        raise WrongRule(f"{place}.events", f"{place}.events: there is no event {unknown[0]!r}; those are {', '.join(KINDS)}")
    try:
        rule: NotifyRule = msgspec.convert(written, type=prepared(NotifyRule))
    except msgspec.ValidationError as exc:
        message, _, path = str(exc).partition(" - at ")
        key = place + path.strip("`").removeprefix("$")
        if key.endswith((".secret", ".apprise")):
            message = f"it is the name of a file in the notifier's folder of secrets, {NAME_PATTERN}; the secret itself stays out"
        raise WrongRule(key, f"{key}: {message}") from exc
    if (rule.to is None) == (rule.apprise is None):
        raise WrongRule(place, f"{place}: give either to, a URL that is posted to, or apprise, the name of a secret with one of apprise's")
    if rule.to is not None and (problem := _problem(rule.to)) is not None:
        raise WrongRule(f"{place}.to", f"{place}.to: {problem}")
    if rule.apprise is not None and rule.secret is not None:
        raise WrongRule(f"{place}.secret", f"{place}.secret: only webhooks are signed; the URL in {rule.apprise!r} has its own credentials")
    if not rule.events:
        raise WrongRule(f"{place}.events", f"{place}.events: name at least one of {', '.join(KINDS)}")
    return rule


def _problem(to: str) -> str | None:
    try:
        url = urlsplit(to)
        host, _ = url.hostname, url.port
    except ValueError as exc:
        return f"{to!r} is no URL: {exc}"
    if url.scheme not in ("http", "https"):
        known = "https://… or http://…; other kinds of receivers have their URL in a secret: apprise = NAME"
        return f"{to!r} cannot be posted to: {known}"
    if not host:
        return f"{to!r} names no host"
    if url.username is not None or url.password is not None:
        return "a URL with a password would be in the project's archive: sign with secret = NAME, or put the whole URL into a secret"
    if any(not character.isprintable() or character.isspace() for character in to):
        return f"{to!r} has characters that no URL has"
    return None
