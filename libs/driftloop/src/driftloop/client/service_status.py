"""Services asked how they are: each instance over HTTP, and what is to be said of them, in sentences."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec

from driftloop.client.samples import Samples, ask_for_samples
from driftloop.client.status_words import Seen, Sentence, project_sentences, stack_sentences
from driftloop.contracts.services import PREDICTOR, SERVICES
from driftloop.contracts.values import Part

ANSWER_SECONDS = 2
ASKED_AT_ONCE = 8


class ServiceStatus(Part, frozen=True, kw_only=True):
    """An instance with what it says of itself; ``state`` is ready, not ready or down.

    ``project``: that it works for; null while it waits for one, not there for services that work for all of them.
    ``environment``: what a predictor says of the environment that its champion was fitted in, null while it says nothing;
    not there for other services, which score nothing.
    """

    instance: str
    url: str
    state: str
    says: Any
    project: str | msgspec.UnsetType | None = msgspec.UNSET
    environment: dict[str, Any] | msgspec.UnsetType | None = msgspec.UNSET


def service_statuses(services: dict[str, str]) -> tuple[ServiceStatus, ...]:
    """Of each instance, by its URL."""
    return tuple(status for status, _ in asked(services))


def samples_of(services: dict[str, str]) -> dict[str, Samples | None]:
    """The metrics of each; None where it does not answer."""
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        found = {name: pool.submit(ask_for_samples, url, timeout_seconds=ANSWER_SECONDS) for name, url in services.items()}
    return {name: asked.result() for name, asked in found.items()}


def asked(services: dict[str, str]) -> list[tuple[ServiceStatus, dict[str, Any]]]:
    """With what each says at /status; nothing where it does not answer."""
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        return list(pool.map(lambda item: _service(*item), sorted(services.items())))


def sentences(
    seen: Iterable[Seen], recent: Mapping[str, int | None], restarts: Mapping[str, int], failures: Mapping[str, str]
) -> Iterator[Sentence]:
    """Of each project, and of what all share. ``recent``: messages rejected in the last hour, of the projects of which that is known."""
    told = list(seen)
    for project in dict.fromkeys((*recent, *(one.project for one in told if one.project is not None))):
        mine = [one for one in told if one.project == project]
        yield from project_sentences(project, mine, recent.get(project), datetime.now(UTC))
    yield from stack_sentences(told, restarts, failures)


def seen(status: ServiceStatus, told: dict[str, Any], before: Samples | None, now: Samples | None, seconds: float) -> Seen:
    """``before`` and ``now``: its metrics, ``seconds`` apart."""
    says = status.says if isinstance(status.says, dict) else {}
    not_ready = str(says.get("reason") or "it does not say why") if status.state == "not ready" else None
    project = status.project if isinstance(status.project, str) else None
    return Seen(status.instance, project, told, before, now, seconds, not_ready)


def _service(instance: str, url: str) -> tuple[ServiceStatus, dict[str, Any]]:
    verify = url.startswith("https:")
    try:
        ready = httpx.get(f"{url}/readyz", timeout=ANSWER_SECONDS, verify=verify)
        state, says = "ready" if ready.status_code == 200 else "not ready", ready.json()
    except (httpx.HTTPError, ValueError) as exc:
        state, says = "down", {"error": type(exc).__name__}
    try:
        answer = httpx.get(f"{url}/status", timeout=ANSWER_SECONDS, verify=verify).json()
    except (httpx.HTTPError, ValueError):
        answer = None
    told = answer if isinstance(answer, dict) else {}
    service = SERVICES.get(instance.rpartition("-")[0])
    if service is None or not service.for_project:
        return ServiceStatus(instance=instance, url=url, state=state, says=says), told
    environment = told.get("environment") if service is PREDICTOR else msgspec.UNSET
    project = told.get("project")
    return ServiceStatus(instance=instance, url=url, state=state, says=says, project=project, environment=environment), told
