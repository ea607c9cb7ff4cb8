"""A change whose outcome is unknown is asked for again under its key, whatever becomes of the registry meanwhile."""

from typing import Any

import httpx
import pytest

from driftloop.client import registry_client
from driftloop.client.registry_client import RegistryClient, Unreached
from driftloop.errors import TransientError


class Registry:
    """Answers one call after the other as told: with a status, or not at all."""

    def __init__(self, *answers: int | None) -> None:
        self._answers, self.keys = list(answers), list[str]()

    def __call__(self, method: str, url: str, *, headers: dict[str, str], **kwargs: Any) -> httpx.Response:
        self.keys.append(headers["Idempotency-Key"])
        answer = self._answers.pop(0)
        if answer is None:
            raise httpx.ConnectError("refused")
        return httpx.Response(answer, json={"error": "the outcome is not known"} if answer >= 500 else {"accepted": True})


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_client, "REPEAT_SECONDS", (0.0, 0.0, 0.0))


def changed(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(httpx, "request", registry)
    return RegistryClient("http://registry").change("/projects", {})


def test_a_registry_that_starts_again_after_an_unknown_outcome_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(503, None, None, 200)
    assert changed(registry, monkeypatch) == {"accepted": True}
    assert len(registry.keys) == 4
    assert len(set(registry.keys)) == 1


def test_a_registry_that_is_not_there_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(None)
    with pytest.raises(Unreached):
        changed(registry, monkeypatch)
    assert len(registry.keys) == 1


def test_an_outcome_that_stays_unknown_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(503, 503, 503, 503)
    with pytest.raises(TransientError, match="the outcome is not known"):
        changed(registry, monkeypatch)
