"""A message as a webhook: CloudEvents 1.0 in structured JSON, signed as Standard Webhooks says (standardwebhooks.com)."""

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from driftloop.contracts.headers import format_time
from driftloop.contracts.notify_rules import NotifyRule
from driftloop.errors import ConfigurationError
from driftloop_notifier.memory import Letter
from driftloop_notifier.secrets import Secrets
from driftloop_notifier.sending import NotTaken, Refused
from driftloop_notifier.wording import one_line

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
ATTEMPT_SECONDS = 15.0  # of all of one attempt: a receiver that sends a byte now and then holds nobody up for longer
TRY_AGAIN = frozenset({408, 425, 429})
MOST_RETRY_AFTER_SECONDS = 3600.0


class Webhooks:
    """Keeps ``sending.Sender``. Follows no redirect, and reads nothing of an answer but its head."""

    def __init__(self, secrets: Secrets, *, attempt_seconds: float = ATTEMPT_SECONDS, clock: Callable[[], float] = time.time) -> None:
        self._secrets, self._attempt_seconds, self._clock = secrets, attempt_seconds, clock

    def send(self, letter: Letter, rule: NotifyRule) -> None:
        """Raises Refused, NotTaken."""
        assert rule.to is not None  # only such rules are webhooks
        body = body_of(letter)
        try:
            key = None if rule.secret is None else self._secrets.key(rule.secret)
        except ConfigurationError as exc:
            raise NotTaken(str(exc)) from exc  # somebody may still put it there
        headers = {"content-type": CONTENT_TYPE, "user-agent": "driftloop", **signed(letter.id, int(self._clock()), body, key)}
        host = urlsplit(rule.to).hostname
        try:
            code, reason, after = asyncio.run(self._post(rule.to, body, headers))
        except TimeoutError as exc:
            raise NotTaken(f"{host} gave no answer within {self._attempt_seconds:g} s") from exc
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as exc:
            raise NotTaken(one_line(f"{host}: {exc or type(exc).__name__}", 300)) from exc
        problem = one_line(f"{host} answered {code} {reason}".strip(), 300)
        if 200 <= code < 300:
            return
        if code in TRY_AGAIN or code >= 500:
            raise NotTaken(problem, after)
        redirected = "; a redirect is not followed: name the address that it leads to" if 300 <= code < 400 else ""
        raise Refused(problem + redirected)

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, float]:
        async with (
            asyncio.timeout(self._attempt_seconds),
            httpx.AsyncClient(follow_redirects=False, timeout=None) as client,
            client.stream("POST", url, content=body, headers=headers) as answer,
        ):
            return answer.status_code, answer.reason_phrase, _seconds(answer.headers.get("retry-after"))


def body_of(letter: Letter) -> bytes:
    """The CloudEvent. Its id is the message's: a receiver that has seen it drops the repeat."""
    due = letter.due
    data: dict[str, Any] = {
        "project": due.project,
        "model": due.model,
        "kind": due.kind,
        "phase": due.phase,
        "about": due.about,
        "text": due.text,
        "act": due.act,
        "link": due.link,
        "opening": due.opening,
        "evidence": due.evidence,
    }
    event = {
        "specversion": "1.0",
        "id": letter.id,
        "source": "driftloop/notifier",
        "type": f"driftloop.{due.kind or 'notification'}.{due.phase}.v1",
        "subject": due.about,
        "time": format_time(due.at),
        "datacontenttype": "application/json",
        "data": data,
    }
    return msgspec.json.encode(event)


def signed(id: str, timestamp: int, body: bytes, key: bytes | None) -> dict[str, str]:
    """The headers of Standard Webhooks: HMAC-SHA256 over ``id.timestamp.body``, base64. Without a key there is no signature."""
    headers = {"webhook-id": id, "webhook-timestamp": str(timestamp)}
    if key is not None:
        mac = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256)
        headers["webhook-signature"] = f"v1,{base64.b64encode(mac.digest()).decode()}"
    return headers


def _seconds(retry_after: str | None) -> float:
    """Of the header when it is a number; a date says nothing."""
    try:
        return min(max(0.0, float(retry_after or 0)), MOST_RETRY_AFTER_SECONDS)
    except ValueError:
        return 0.0
