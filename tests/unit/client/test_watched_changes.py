"""What is refused of versions that are served elsewhere before the registry is asked to record anything."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from tests.unit.registry.commands import MODEL, WINDOW, folded, move_alias, register_version
from tests.unit.registry.test_watching import elsewhere, watch

from driftloop.client import model_changes, watching
from driftloop.client.models import RegisteredModel, RegisteredVersion
from driftloop.errors import UserError
from driftloop.registry.state import ModelState


def told(state: ModelState) -> RegisteredModel:
    """As the registry's HTTP tells it."""
    aliases = dict(state.aliases.items())
    return RegisteredModel(
        model=MODEL,
        project=state.project,
        versions=tuple(RegisteredVersion(**msgspec.structs.asdict(version)) for version in state.versions),
        aliases=aliases,
        champion=aliases["champion"].version,
        champion_epoch=aliases["champion"].epoch,
        waiting=(),
    )


@pytest.fixture
def theirs() -> RegisteredModel:
    state, _ = folded(elsewhere(), watch("a"))
    return told(state.models[MODEL])


@pytest.fixture
def ours() -> RegisteredModel:
    """Version 1 is served elsewhere, version 2 of driftloop's is champion."""
    state, outcomes = folded(elsewhere(), watch("a"), register_version("r2"), move_alias(2, epoch=1, command_id="taken over"))
    assert outcomes[-1].accepted
    return told(state.models[MODEL])


def test_their_version_takes_nothing_over(theirs: RegisteredModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_changes, "model", lambda *_: theirs)
    with pytest.raises(UserError, match=f"version 1 of {MODEL} is served elsewhere, and there is no artifact of it here, so it cannot"):
        model_changes.take_over(Any, MODEL, 1, "why not")  # type: ignore[arg-type]


def test_a_version_without_bytes_is_no_challenger(ours: RegisteredModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_changes, "model", lambda *_: ours)
    with pytest.raises(UserError, match="there is no artifact of it here, so it can answer for nothing"):
        model_changes.shadow(Any, MODEL, 1, "why not")  # type: ignore[arg-type]


def test_a_misspelt_name_does_not_become_who_answers(theirs: RegisteredModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "model", lambda *_: theirs)
    connections: Any = SimpleNamespace(registry=None)
    with pytest.raises(UserError, match=f"no version of {MODEL} is known as 'aa': known are a; another one's first answer makes it known"):
        watching.watch(connections, MODEL, WINDOW.start, WINDOW.end, "typo", "aa")
