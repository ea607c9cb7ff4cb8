"""Messages by apprise: Slack, e-mail and a hundred others, each by a URL that stands in a secret."""

import logging
import re
import threading

from driftloop.contracts.notify_rules import NotifyRule
from driftloop.errors import ConfigurationError
from driftloop_notifier.memory import Letter
from driftloop_notifier.secrets import Secrets
from driftloop_notifier.sending import NotTaken, Refused
from driftloop_notifier.wording import one_line

ATTEMPT_SECONDS = 60.0  # apprise's own limits are for each connection and each read
TITLES = {"raised": "driftloop: worse", "closed": "driftloop: over", "test": "driftloop: test"}
KINDS = {"opened": "warning", "raised": "warning", "closed": "success", "left-out": "info", "test": "info"}


class AppriseUrls:
    """Keeps ``sending.Sender``. Apprise says only that it failed, so everything but a URL that it does not know is tried again."""

    def __init__(self, secrets: Secrets, *, attempt_seconds: float = ATTEMPT_SECONDS) -> None:
        self._secrets, self._attempt_seconds = secrets, attempt_seconds
        self._hanging: dict[str, threading.Thread] = {}  # by secret; the next attempt waits until the one before has ended

    def send(self, letter: Letter, rule: NotifyRule) -> None:
        """Raises Refused, NotTaken."""
        assert rule.apprise is not None  # only such rules come here
        try:
            url = self._secrets.read(rule.apprise)
        except ConfigurationError as exc:
            raise NotTaken(str(exc)) from exc
        before = self._hanging.get(rule.apprise)
        if before is not None and before.is_alive():
            raise NotTaken(f"{rule.apprise}: the attempt before has not ended yet")
        outcome: list[Exception | None] = []
        attempt = threading.Thread(target=_attempt, args=(url, rule.apprise, letter, outcome), name="apprise", daemon=True)
        attempt.start()
        attempt.join(self._attempt_seconds)
        if attempt.is_alive():
            self._hanging[rule.apprise] = attempt
            raise NotTaken(f"{rule.apprise}: no answer within {self._attempt_seconds:g} s")
        problem = outcome[0] if outcome else NotTaken(f"{rule.apprise}: the attempt broke down")
        if problem is not None:
            raise problem


def text_of(letter: Letter) -> str:
    due = letter.due
    return "\n".join(line for line in (due.text, f"look further: {due.act}", due.link, f"id: {letter.id}") if line)


def redacted(text: str, url: str) -> str:
    """``text`` without any part of the URL that may be a secret: all but its scheme."""
    for part in sorted({part for part in re.split(r"[/:@?&=#]+", url.partition("://")[2]) if len(part) > 3}, key=len, reverse=True):
        text = text.replace(part, "…")
    return one_line(text, 300)


def _attempt(url: str, name: str, letter: Letter, outcome: list[Exception | None]) -> None:
    try:
        outcome.append(_sent(url, name, letter))
    except Exception as exc:  # noqa: BLE001 - a plugin of apprise's may raise anything; the message is tried again
        outcome.append(NotTaken(redacted(f"{name}: {type(exc).__name__}: {exc}", url)))


def _sent(url: str, name: str, letter: Letter) -> Exception | None:
    import apprise  # takes seconds and 25 MB: only where a rule needs it

    target = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False, app_id="driftloop", app_desc="driftloop"))
    if not target.add(url):
        return Refused(f"the secret {name!r} holds no URL that apprise knows")
    phase = letter.due.phase
    with _Said() as said:
        kind, text = apprise.NotifyType(KINDS[phase]), apprise.NotifyFormat.TEXT
        arrived = target.notify(body=text_of(letter), title=TITLES.get(phase, "driftloop"), notify_type=kind, body_format=text)
    return None if arrived else NotTaken(redacted(f"{name}: {said.last or 'apprise could not send it'}", url))


class _Said(logging.Handler):
    """The last warning of apprise's in this thread: it is the only place where it says why."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread, self.last = threading.get_ident(), ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.last = record.getMessage()

    def __enter__(self) -> "_Said":
        logging.getLogger("apprise").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("apprise").removeHandler(self)
