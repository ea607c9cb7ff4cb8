"""A command whose answer was lost asks again, and what it asked for is done once."""

import httpx
import pytest
from tests.integration.registry.moves import set_up
from tests.integration.registry.registry_process import commands, make_world, registry
from tests.support.lossy_proxy import lossy_proxy

from driftloop.client import registry_client
from driftloop.client.registry_client import RegistryClient, Unreached
from driftloop.errors import TransientError, UserError
from driftloop.project.model import CONFIG_FILE, PIPELINE_FILE


@pytest.fixture(scope="module")
def running(kafka_bootstrap, s3, tmp_path_factory):
    with registry(make_world(kafka_bootstrap, s3, "unused"), tmp_path_factory.mktemp("registry")) as made:
        yield made


@pytest.fixture
def proxy(running):
    with lossy_proxy(str(running.client.base_url)) as made:
        yield made


def through(running, proxy):
    """The registry as it looks from behind the proxy."""
    return running._replace(client=httpx.Client(base_url=proxy.endpoint))


def test_project_whose_registration_was_not_answered_is_registered_once(world, running, proxy, tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    project = world.project()
    for name in (CONFIG_FILE, PIPELINE_FILE):
        (folder / name).write_bytes(project.files[name])
    driftloop = commands(world, through(running, proxy), tmp_path)
    proxy.lose_answers("POST", "/projects", times=2)

    done = driftloop("up", "--project", str(folder))

    assert done.returncode == 0, done.stderr
    assert proxy.lost == 2
    history = running.get(f"/models/{world.model}/history")
    assert [entry["type"] for entry in history] == ["driftloop.register-project.v1"]


def test_move_that_was_not_answered_is_made_once(world, running, proxy, tmp_path):
    set_up(world, running)
    driftloop = commands(world, through(running, proxy), tmp_path)
    proxy.lose_answers("POST", "/rollback", times=1)
    assert driftloop("models", "promote", world.model, "2", "--reason", "forth").returncode == 0

    back = driftloop("models", "rollback", world.model, "--reason", "back")

    assert back.returncode == 0, back.stderr
    assert proxy.lost == 1
    alias = running.get(f"/models/{world.model}/aliases/champion")
    assert (alias["version"], alias["epoch"]) == (1, 3)


def test_outcome_that_stays_unknown_is_said(world, running, proxy, monkeypatch):
    monkeypatch.setattr(registry_client, "REPEAT_SECONDS", (0.0, 0.0))
    proxy.lose_answers("POST", times=3)

    with pytest.raises(TransientError, match="does not answer"):
        RegistryClient(proxy.endpoint).change("/projects", world.project_body())
    assert proxy.lost == 3


def test_registry_that_is_not_there_is_not_asked_again(monkeypatch):
    monkeypatch.setattr(registry_client, "REPEAT_SECONDS", (3600.0,))

    with pytest.raises(Unreached):
        RegistryClient("http://127.0.0.1:9").change("/projects", {})


def test_refusal_is_an_outcome(world, running):
    with pytest.raises(UserError, match="refused"):
        RegistryClient(str(running.client.base_url)).change("/projects", {})
