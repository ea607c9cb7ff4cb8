"""What the registry does for a caller: read at the log's end, or submit a command and wait for its outcome."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from driftloop.contracts.commands import ApproveVersion, DeleteVersion, MoveAlias, MoveCanary, Recalibrate, RejectVersion, WatchVersion
from driftloop.errors import TransientError
from driftloop.registry.dry_run import answer_without_record
from driftloop.registry.fold import ModelState, ModelVersion, Outcome, RegistryReader, RegistryState
from driftloop_registry.command_log import AnyCommand, CommandLog
from driftloop_registry.log_end_waiter import LogEndWaiter
from driftloop_registry.registration import Registration
from driftloop_registry.responses import Refused, found, found_version
from driftloop_registry.state_waiter import Folded
from driftloop_registry.stored_models import Store, archived_project, problem_with_model
from driftloop_registry.view_keeper import ViewKeeper
from driftloop_registry.watching import problem_with_reference

ANSWER_SECONDS = 5.0  # for a read, and for a write's outcome; then 503
MAX_WAITING = 64  # calls in hand while broker or store are slow; more are answered 503 at once

T = TypeVar("T")


class Desk:
    """Coroutines for the HTTP routes. Each raises TransientError when broker or store do not answer in time."""

    def __init__(
        self,
        reader: RegistryReader,
        ready: Callable[[], bool],
        folded: Folded,
        log_end: LogEndWaiter,
        commands: CommandLog,
        store: Store,
        keeper: ViewKeeper,
    ) -> None:
        self._reader, self._ready, self._folded, self._log_end = reader, ready, folded, log_end
        self._commands, self._store, self._keeper = commands, store, keeper
        self._pool = ThreadPoolExecutor(max_workers=16, thread_name_prefix="desk")
        self._waiting = 0

    def known(self) -> RegistryState:
        """What is folded here, however old; but never half of what was known before a restart."""
        if not self._ready():
            raise TransientError("the log has not been folded to its end yet")
        return self._reader.state()

    async def current(self) -> RegistryState:
        """A state that holds every command acknowledged before the call."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._folded.reached(await self._log_end.offset())
        except TimeoutError as exc:
            raise TransientError(f"the log's end was not reached within {ANSWER_SECONDS:g} s; read with ?stale=ok") from exc

    async def register_project(self, wish: Registration) -> Outcome:
        """Schema and rules are the archive's, whatever a caller says. Raises Refused when the archive is not in the store, is another
        project's, or says otherwise than the caller does."""
        state = await self.current()
        known = state.outcome(wish.command_id)
        if known is not None:
            return known
        project, problem = await self._in_thread(lambda: archived_project(self._store, wish.project, wish.stream, wish.model, wish.archive))
        if project is None:
            raise Refused(422, problem or "no project", "archive")
        wish.check(project)
        wish.check_name(state)
        return await self._put(wish.command(project), state)

    async def move_alias(self, command: MoveAlias) -> Outcome:
        """Raises Refused when there is no such version, or its objects do not verify."""
        return await self._submit(command, servable=True)

    async def recalibrate(self, command: Recalibrate) -> Outcome:
        """Nothing is fetched for it: a correction is a few numbers."""
        return await self._submit(command, servable=False)

    async def move_canary(self, command: MoveCanary) -> Outcome:
        """Raises Refused when there is no such version, or its objects do not verify where it is to answer."""
        return await self._submit(command, servable=command.move != "end")

    async def watch(self, command: WatchVersion) -> Outcome:
        """Raises Refused when there is no such model, or the reference's profile does not verify."""
        state, reference = await self.current(), command.reference
        known = state.outcome(command.command_id)
        if known is not None:
            return known
        found(state, command.model)
        if reference is not None:
            problem = await self._in_thread(lambda: problem_with_reference(self._store, command.model, reference))
            if problem is not None:
                raise Refused(422, problem, "reference")
        return await self._put(command, state)

    async def change_version(self, command: ApproveVersion | RejectVersion | DeleteVersion) -> Outcome:
        """Raises Refused when there is no such version, or one is approved whose objects do not verify."""
        return await self._submit(command, servable=isinstance(command, ApproveVersion))

    async def _submit(
        self, command: MoveAlias | Recalibrate | MoveCanary | ApproveVersion | RejectVersion | DeleteVersion, *, servable: bool
    ) -> Outcome:
        state = await self.current()
        known = state.outcome(command.command_id)
        if known is not None:
            return known
        version = found_version(found(state, command.model), command.version)
        answer = answer_without_record(state, command)
        if answer is not None:
            return answer
        if servable:
            await self._verify(version)
        return await self._put(command, state)

    async def _put(self, command: AnyCommand, state: RegistryState) -> Outcome:
        """Refused by what is known now: no record. Refused because another came first: on the record, since the log holds it."""
        answer = answer_without_record(state, command)
        return answer if answer is not None else await self._in_thread(lambda: self._commands.append(command))

    async def _verify(self, version: ModelVersion) -> None:
        if version.served_elsewhere:
            return  # there are no bytes of it
        problem = await self._in_thread(lambda: problem_with_model(self._store, version.model, version.request_id, version.manifest))
        if problem is not None:
            raise Refused(409, f"version {version.version} cannot be served: {problem}", "version")

    async def digests(self) -> tuple[int, str, str]:
        """Offset, digest of the state, digest of the database at that offset."""
        return await self._in_thread(self._keeper.verified_digest)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._waiting >= MAX_WAITING:
            raise TransientError("too many calls wait for an answer already")
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        future.add_done_callback(self._done)
        try:
            return await asyncio.wait_for(asyncio.shield(future), 2 * ANSWER_SECONDS)
        except TimeoutError as exc:
            raise TransientError("no answer in time; the outcome is not known: repeat the call with its Idempotency-Key") from exc

    def _done(self, future: "asyncio.Future[T]") -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.exception()  # taken up here when the caller has gone


def way_back(model: ModelState, alias: str) -> int:
    """The version one step back. Raises Refused when there is none, or it was deleted."""
    version = model.before(alias)
    if version is None:
        now = model.aliases.get(alias)
        reason = f"version {now.version} was the first {alias}" if now else f"model {model.model} has no {alias}"
        raise Refused(409, f"{reason}: there is nothing to go back to", "alias")
    if model.state_of(version) == "deleted":
        raise Refused(409, f"version {version}, the {alias} before, was deleted: name the version to go back to", "to")
    return version
