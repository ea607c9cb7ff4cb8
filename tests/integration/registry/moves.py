"""Champions moved in a registry under test, and what its log says of them."""

import threading

from tests.unit.registry.commands import measured

from driftloop.adapters.kafka import read_topic
from driftloop.contracts.codec import decode_event
from driftloop.contracts.commands import Command
from driftloop.contracts.topics import REGISTRY_LOG
from driftloop.errors import InvalidMessage
from driftloop.registry.fold import RegistryState, fold


def set_up(world, running, versions=2, project=None):
    """A project with version 1 as champion and others that did not pass."""
    assert running.client.post("/projects", json=world.project_body(project)).status_code == 201
    for n in range(1, versions + 1):
        request = f"{world.model}-r{n}"
        world.train(request, epoch=min(n - 1, 1), measured=None if n == 1 else measured(against=1, gain_lower=-1))
        world.decision(request)


def move(running, world, version, epoch):
    body = {"version": version, "expected_epoch": epoch, "reason": "a test", "actor": "a person"}
    return running.client.post(f"/models/{world.model}/aliases/champion", json=body)


class Mover:
    """Moves the champion back and forth as fast as the registry answers, and remembers what it was told."""

    def __init__(self, running, world):
        self.told, self.codes = [], []
        self._running, self._world = running, world
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._thread.join()

    def _run(self):
        epoch = 1
        while not self._stopping.is_set():
            response = move(self._running, self._world, 1 + epoch % 2, epoch)
            self.codes.append(response.status_code)
            if response.status_code == 200:
                epoch = response.json()["epoch"]
                self.told.append(epoch)


def state_from_log(bootstrap, end):
    state = RegistryState()
    for record in read_topic(bootstrap, REGISTRY_LOG):
        if record.offset >= end:
            break
        try:
            event, _ = decode_event(record.value, record.headers)
        except InvalidMessage:
            state = state.skip(record.offset)
            continue
        assert isinstance(event, Command)
        state, _ = fold(state, event, record.offset)
    return state
