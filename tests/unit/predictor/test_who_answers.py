"""Who answers: the champion of the registry, ours or another system's; while nobody knows, nothing is recorded."""

from pathlib import Path

import msgspec
import pytest
from tests.unit.predictor.samples import START, sample_pins, sample_project, store_sample_model

from driftloop.adapters.memory import MemoryStore
from driftloop.contracts.events import Event, VersionSeen
from driftloop.contracts.watched import MOST_WATCHED, Watched
from driftloop.errors import TransientError
from driftloop.registry.fold import Alias, ModelState, ModelVersion, ProjectRef, RegistryState
from driftloop_predictor.last_good import KeptModel, LastGood
from driftloop_predictor.model import ModelFollower
from driftloop_predictor.serving import ScoringModel
from driftloop_predictor.watching import Watching
from driftloop_predictor.who_answers import WhoAnswers

PROJECT = msgspec.structs.replace(sample_project("m"), served_by="elsewhere")
REF = ProjectRef(
    project="m", stream="m", model="m", archive="a" * 64, schema_fingerprint="b" * 64, promotion=PROJECT.promotion, served_by="elsewhere"
)


class Registry:
    """What the process knows of it. Versions 1, 2 … are theirs; the one with ``ours`` is trained here."""

    def __init__(self, ours: str | None = None, names: int = 1) -> None:
        self.caught_up = True
        of = {"model": "m", "registered_at": START}
        theirs = [
            ModelVersion(version=n, request_id=f"r{n}", manifest="c" * 64, pins=None, watched=Watched(served_as=f"v{n - 1}"), **of)
            for n in range(1, names + 1)
        ]
        own = [ModelVersion(version=names + 1, request_id="own", manifest=ours, pins=sample_pins(), **of)] if ours else []
        self._versions = (*theirs, *own)
        self.champion(1, epoch=1)

    def champion(self, version: int, epoch: int) -> None:
        alias = Alias(name="champion", version=version, epoch=epoch, since=START)
        model = ModelState(model="m", project=REF, versions=self._versions, aliases={"champion": alias})
        self._state = RegistryState(models={"m": model})

    def state(self) -> RegistryState:
        return self._state

    def wait_for(self, offset: int, timeout_seconds: float) -> RegistryState:
        return self._state

    sync = wait_for


class Published:
    def __init__(self) -> None:
        self.events: list[VersionSeen] = []
        self.ids: list[str | None] = []

    def publish(self, topic: str, event: Event, *, key: str, id: str | None = None, time: object = None) -> str:
        assert isinstance(event, VersionSeen)
        self.events.append(event)
        self.ids.append(id)
        return id or ""


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def registry(store: MemoryStore) -> Registry:
    return Registry(store_sample_model(store, PROJECT))


@pytest.fixture
def follower(registry: Registry, store: MemoryStore, tmp_path: Path) -> ModelFollower:
    return ModelFollower(PROJECT, reader=registry, store=store, last_good=LastGood(tmp_path, KeptModel))  # type: ignore[arg-type]


def who(registry: Registry, follower: ModelFollower, published: Published | None = None, now: list[float] | None = None) -> WhoAnswers:
    clock = now or [0.0]
    return WhoAnswers(PROJECT, registry, follower, published or Published(), monotonic=lambda: clock[0])  # type: ignore[arg-type]


def test_the_other_system_answers_until_ours_is_champion_and_again_when_it_is_given_back(
    registry: Registry, follower: ModelFollower, tmp_path: Path
) -> None:
    answers = who(registry, follower)
    follower.catch_up()
    assert isinstance(answers.now(), Watching)
    assert (follower.serving, follower.up_to_date, answers.watched()) == (None, True, {"v0": 1})
    registry.champion(2, epoch=2)
    with pytest.raises(TransientError, match="is being loaded"):
        answers.now()
    follower.catch_up()
    found = answers.now()
    assert isinstance(found, ScoringModel)
    assert (found.version, answers.watched()) == (2, None)
    registry.champion(1, epoch=3)
    assert isinstance(answers.now(), Watching)  # before the follower has looked
    follower.catch_up()
    assert (follower.serving, LastGood(tmp_path, KeptModel).pointer()) == (None, None)


def test_a_start_without_the_registry_records_nothing_unless_ours_answered_before(registry: Registry, follower: ModelFollower) -> None:
    registry.caught_up = False
    with pytest.raises(TransientError, match="not known whether the model is served elsewhere"):
        who(registry, follower).now()
    registry.champion(2, epoch=2)
    follower.catch_up()
    assert isinstance(who(registry, follower).now(), ScoringModel)


def test_a_project_that_driftloop_serves_is_answered_by_its_model_alone(registry: Registry, follower: ModelFollower) -> None:
    answers = WhoAnswers(sample_project("m"), registry, follower, Published())  # type: ignore[arg-type]
    assert answers.now() is None


def test_the_registry_is_told_of_a_name_once_in_a_while_under_one_id(registry: Registry, follower: ModelFollower) -> None:
    published, now = Published(), [0.0]
    answers = who(registry, follower, published, now)
    for moment in (0.0, 1.0, 6.0):
        now[0] = moment
        answers.make_known({"v9"})
    assert [event.served_as for event in published.events] == ["v9", "v9"]
    assert len(set(published.ids)) == 1


def test_no_further_name_gets_a_number_when_there_are_too_many(follower: ModelFollower) -> None:
    found = who(Registry(names=MOST_WATCHED), follower).now()
    assert isinstance(found, Watching)
    assert found.full
