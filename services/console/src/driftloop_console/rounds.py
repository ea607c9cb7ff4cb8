"""Services asked how they are, when somebody wants to know, and not more often than every few seconds."""

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from driftloop.client.installed import installed_by
from driftloop.client.samples import Samples, together
from driftloop.client.service_status import ServiceStatus, asked, samples_of, seen, sentences
from driftloop.client.status_words import Seen, Sentence, messages_behind, rows_per_second
from driftloop.errors import UserError

FRESH_SECONDS = 3.0
FIRST_PAUSE_SECONDS = 0.5  # between the two looks of a first round: a rate needs two


class Progress(NamedTuple):
    """The instances of a service that work for one project, or for all (None): how many there are and how many answer, and what these
    say of themselves together."""

    service: str
    project: str | None
    instances: int
    ready: int
    answering: int
    rows_per_second: float
    behind: int  # messages


class Round(NamedTuple):
    """What was seen at ``at``; ``trouble``: why nothing was."""

    at: datetime
    services: tuple[ServiceStatus, ...] = ()
    progress: tuple[Progress, ...] = ()
    words: tuple[Sentence, ...] = ()
    trouble: str | None = None


class Rounds:
    """``services``: as the setting SERVICES has it. For any thread: who comes while a round is made waits for it."""

    def __init__(self, services: str) -> None:
        self._told = services
        self._lock = threading.Lock()
        self._last: Round | None = None
        self._before: dict[str, Samples | None] = {}
        self._looked = 0.0

    def newest(self) -> Round:
        with self._lock:
            if self._last is None or time.monotonic() - self._looked > FRESH_SECONDS:
                self._last = self._made()
            return self._last

    def _made(self) -> Round:
        try:
            installed = installed_by(self._told)
        except UserError as exc:
            return Round(datetime.now(UTC), trouble=str(exc))
        if not installed.services:
            return Round(datetime.now(UTC), trouble="nobody has told the console which services there are: see its setting SERVICES")
        services = dict(installed.services)
        if not self._before:
            self._before, self._looked = samples_of(services), time.monotonic()
            time.sleep(FIRST_PAUSE_SECONDS)
        told, since = asked(services), self._looked
        now, self._looked = samples_of(services), time.monotonic()
        seconds = self._looked - since
        found = [seen(status, says, self._before.get(status.instance), now[status.instance], seconds) for status, says in told]
        self._before = now
        words = tuple(sentences(found, {}, installed.restarts, installed.failures))
        statuses = tuple(status for status, _ in told)
        return Round(datetime.now(UTC), statuses, progress(statuses, found), words)


def progress(statuses: Sequence[ServiceStatus], seen: Sequence[Seen]) -> tuple[Progress, ...]:
    """``seen``: what each of ``statuses`` said, in the same order."""
    groups: dict[tuple[str, str | None], list[tuple[ServiceStatus, Seen]]] = {}
    for status, one in zip(statuses, seen, strict=True):
        groups.setdefault((one.service, one.project), []).append((status, one))
    found = []
    for (service, project), members in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or "")):
        answering = [one for _, one in members if one.now is not None]
        found.append(
            Progress(
                service=service,
                project=project,
                instances=len(members),
                ready=sum(status.state == "ready" for status, _ in members),
                answering=len(answering),
                rows_per_second=rows_per_second(answering),
                behind=messages_behind(together(one.now for one in answering if one.now is not None)),
            )
        )
    return tuple(found)
