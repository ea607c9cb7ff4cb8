"""Who may speak to a service over HTTP: callers who mean this service, and no page of another site in somebody's browser.

There is no login, so a browser that can reach a port is all that a foreign page needs. It gets in by another name for this address (DNS
rebinding: the Host is the page's, not ours), or by a call that browsers send without asking first (the Origin is the page's).
"""

import ipaddress
import json
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

LOCAL = "localhost"
HARMLESS = ("GET", "HEAD", "OPTIONS")  # they change nothing, and no other site's page may read their answers
_HOST = re.compile(r"(\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[a-z0-9_.-]+))(:[0-9]{1,5})?")
_OTHER_SITES = ("cross-site", "same-site")  # of Sec-Fetch-Site, which every browser of today sends

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Refused(NamedTuple):
    """An answer that says no, and why."""

    status: int
    reason: str


class Caller(NamedTuple):
    """What a request says of where it comes from; None where it says nothing."""

    method: str
    host: str | None
    origin: str | None
    site: str | None  # Sec-Fetch-Site


def refusal(caller: Caller, names: Collection[str]) -> Refused | None:
    """Why a request is not answered; None: it may be.

    ``names``: what this service is called by, beside localhost and any address written in digits. A page cannot have those.
    """
    if caller.host is not None and not _is_ours(caller.host, names):
        return Refused(421, f"this is no host {caller.host[:80]!r}: call it localhost, by its address, or name it in HTTP_NAMES")
    if caller.method in HARMLESS:
        return None
    if caller.site in _OTHER_SITES or (caller.origin is not None and _authority(caller.origin) != (caller.host or "").lower()):
        return Refused(403, f"a page of {(caller.origin or 'another site')[:80]!r} may change nothing here")
    return None


class Guarded:
    """ASGI: answers what may be answered, and says why the rest is not."""

    def __init__(self, app: App, names: Collection[str] = ()) -> None:
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            refused = refusal(caller_of(scope["method"], scope["headers"]), self._names)
            if refused is not None:
                await answer(send, refused)
                return
        await self._app(scope, receive, send)


def caller_of(method: str, headers: Iterable[tuple[bytes, bytes]]) -> Caller:
    """Of ASGI's headers, whose names are in lower case."""
    found = {name: value.decode("latin-1") for name, value in headers}
    return Caller(method, found.get(b"host"), found.get(b"origin"), found.get(b"sec-fetch-site"))


async def answer(send: Send, refused: Refused, *, close: bool = False, **more: str) -> None:
    """A refusal as JSON. ``close``: the rest of the request is not read."""
    body = json.dumps({"error": refused.reason, **more}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(b"connection", b"close")] if close else []
    headers += [(b"retry-after", b"2")] if refused.status == 503 else []
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _is_ours(host: str, names: Collection[str]) -> bool:
    found = _HOST.fullmatch(host.lower())
    if found is None:
        return False
    name = (found["address"] or found["name"]).rstrip(".")
    return name == LOCAL or name in names or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _authority(origin: str) -> str | None:
    """Host and port of an Origin as a Host header gives them; None for one that has none, such as ``null``, or is no address."""
    try:
        return urlsplit(origin.lower()).netloc or None
    except ValueError:
        return None
