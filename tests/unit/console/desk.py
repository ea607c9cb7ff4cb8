"""A console over a record put together by hand: pages are asked over HTTP, and only broker, store and registry are not there."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import httpx
from starlette.types import ASGIApp
from tests.unit.registry.commands import folded

from driftloop.contracts.codec import Envelope
from driftloop.contracts.commands import Command
from driftloop.contracts.events import Event
from driftloop.errors import UserError
from driftloop.registry.state import RegistryState
from driftloop_console.app import create_app
from driftloop_console.asking import Question
from driftloop_console.commands import Call
from driftloop_console.desk import Desk
from driftloop_console.freshness import Freshness
from driftloop_console.policies import Policies
from driftloop_console.record import ConsoleFold
from driftloop_console.rounds import Rounds
from driftloop_console.streams import Streams


class Followed:
    """A follower that is at the end, or says why not."""

    def __init__(self, state: RegistryState | None = None, trouble: Exception | None = None) -> None:
        self._state, self.trouble, self.caught_up = state or RegistryState(), trouble, True

    def sync(self, timeout_seconds: float = 0) -> Any:
        if self.trouble is not None:
            raise self.trouble

    def state(self) -> RegistryState:
        return self._state


class Browser:
    """Asks an application in this process."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def get(self, path: str, params: dict[str, Any] | None = None) -> httpx.Response:
        return asyncio.run(self._ask("GET", path, params=params))

    def post(self, path: str, data: dict[str, str] | None = None, content: bytes | None = None) -> httpx.Response:
        return asyncio.run(self._ask("POST", path, data=data, content=content))

    async def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:29060") as client:
            return await client.request(method, path, **more)


def record_of(told: Iterable[tuple[Event, Envelope]]) -> ConsoleFold:
    fold = ConsoleFold()
    for event, about in told:
        fold.add(event, about)
    return fold


def console(
    record: ConsoleFold | None = None,
    *commands: Command,
    ask: Callable[[Question], dict[str, Any]] | None = None,
    command: Callable[[Call], dict[str, Any]] | None = None,
    follower: Followed | None = None,
    services: str = "",
) -> Browser:
    state, _ = folded(*commands)
    followed = follower or Followed()
    freshness = Freshness(followed, Followed(state))
    freshness.look()

    def nobody(_: object) -> dict[str, Any]:
        raise UserError("nobody is asked in this test")

    policies = Policies(ask or nobody)
    desk = Desk(record or ConsoleFold(), lambda: state, freshness, ask or nobody, command or nobody, Rounds(services), policies, Streams())
    return Browser(create_app(desk))
