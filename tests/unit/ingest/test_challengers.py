"""Which version answers: as the log names it, loaded once, and nobody when its bytes are not as they were named."""

import pytest
from tests.unit.predictor.samples import sample_pins, sample_project, store_sample_model
from tests.unit.registry.commands import NOW, register_project

from driftloop.adapters.memory import MemoryStore
from driftloop.artifact.model_files import MODEL, model_key
from driftloop.contracts.commands import MoveAlias, RegisterVersion
from driftloop.errors import TransientError
from driftloop.registry.fold import RegistryState, fold
from driftloop_ingest.shadow.challengers import REFUSED_SECONDS, Challengers
from driftloop_ingest.shadow.progress import Account


class World:
    """A log with versions 1, 2 and 3, and the store that holds them."""

    def __init__(self, environment="warn"):
        self.project = sample_project("shop", environment=environment)
        self.store, self.now_seconds, self.reads, self.moves = MemoryStore(), 0.0, 0, 0
        self.folded = RegistryState()
        self.say(register_project(model="shop"))
        self.manifests = [self.add(seed) for seed in range(3)]
        self.account = Account()
        self.challengers = Challengers(self.project, self, self, self.account, lambda: self.now_seconds)
        self.away = False

    def state(self):
        return self.folded

    def get(self, key):
        if self.away:
            raise TransientError("the store is away")
        self.reads += key.endswith(MODEL)
        return self.store.get(key)

    def __getattr__(self, name):
        return getattr(self.store, name)

    def say(self, command):
        self.folded, outcome = fold(self.folded, command, self.folded.next_offset)
        assert outcome.accepted, outcome.reason

    def add(self, seed):
        environment = {"python": "2.7"} if seed == 2 else None
        manifest = store_sample_model(self.store, self.project, seed, environment)
        fields = {"model": "shop", "request_id": f"r{seed}", "manifest": manifest, "pins": sample_pins()}
        self.say(RegisterVersion(command_id=f"v{seed}", at=NOW, actor="test", reason="", **fields))
        return manifest

    def point(self, alias, version):
        self.moves += 1
        fields = {"model": "shop", "alias": alias, "version": version, "expected_epoch": self.folded.models["shop"].epoch(alias)}
        self.say(MoveAlias(command_id=f"m{self.moves}", at=NOW, actor="test", reason="", **fields))

    def now(self):
        found = self.challengers.now()
        return None if found is None else (found.version, found.epoch)


@pytest.fixture
def world():
    made = World()
    made.point("champion", 1)
    return made


def test_the_one_that_the_log_names_is_loaded_once(world):
    assert world.now() is None
    assert world.challengers.since_ms() is None
    world.point("challenger", 2)
    assert world.now() == world.now() == (2, 1)
    assert world.reads == 1
    assert world.challengers.since_ms() == int(NOW.timestamp() * 1000)
    assert (world.account.version, world.account.epoch) == (2, 1)


def test_the_same_version_named_again_is_of_a_new_epoch_and_not_loaded_again(world):
    world.point("challenger", 2)
    world.now()
    world.point("challenger", 2)
    assert world.now() == (2, 2)
    assert world.reads == 1


def test_a_move_of_the_champion_ends_it(world):
    world.point("challenger", 2)
    world.now()
    world.point("champion", 3)
    assert world.now() is None
    assert world.account.version is None


def test_one_whose_bytes_are_others_answers_nothing_until_they_are_mended(world):
    key = model_key("shop", world.manifests[1], MODEL)
    good = world.store.get(key)
    world.store.put(key, b"other bytes")
    world.point("challenger", 2)
    assert world.now() is None
    assert "version 2 cannot be loaded" in world.account.last_error
    reads = world.reads
    assert world.now() is None
    assert world.reads == reads, "not asked for again at once"
    world.store.put(key, good)
    world.now_seconds += REFUSED_SECONDS + 1
    assert world.now() == (2, 1)
    assert world.account.last_error is None


def test_a_store_that_is_away_is_waited_for(world):
    world.point("challenger", 2)
    world.away = True
    with pytest.raises(TransientError):
        world.now()
    world.away = False
    assert world.now() == (2, 1)


def test_one_of_another_environment_answers_unless_the_project_refuses_it():
    for environment, expected in (("warn", (3, 1)), ("refuse", None)):
        world = World(environment)
        world.point("champion", 1)
        world.point("challenger", 3)
        assert world.now() == expected
