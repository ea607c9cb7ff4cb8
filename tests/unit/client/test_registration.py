"""In which order a project is registered: what is refused has changed nothing that is another project's."""

from pathlib import Path

import pytest

from driftloop.client import registration
from driftloop.contracts.topics import CONTROL_TOPICS, stream_topics
from driftloop.errors import UserError
from driftloop.installation import Installation
from driftloop.settings import S3Settings

FLIGHTS = Path(__file__).parents[3] / "examples" / "flights"
S3 = S3Settings(endpoint="http://store:9000", bucket="b", region="r", access_key="", secret_key="")
NOWHERE = Installation(Path("nowhere"), "broker:9092", S3, "http://registry:8080", {})


@pytest.fixture
def steps(monkeypatch) -> list[str]:
    done: list[str] = []

    class Store:
        def __init__(self, s3) -> None:
            pass

        def put(self, key, data) -> None:
            done.append("archive")

    def create(bootstrap, topics, *, replication, alter=True) -> None:
        assert {topic.name for topic in topics} == {topic.name for topic in [*CONTROL_TOPICS, *stream_topics("flights")]}
        done.append("settings" if alter else "missing topics")

    monkeypatch.setattr(registration, "MinioObjectStore", Store)
    monkeypatch.setattr(registration, "create_topics", create)
    return done


def registering(monkeypatch, steps: list[str], refusal: Exception | None = None) -> None:
    class Registry:
        def __init__(self, url) -> None:
            pass

        def change(self, path, body) -> None:
            steps.append("registered")
            if refusal is not None:
                raise refusal

    monkeypatch.setattr(registration, "RegistryClient", Registry)


def test_topics_are_there_before_the_project_is_known_and_get_its_settings_afterwards(monkeypatch, steps) -> None:
    registering(monkeypatch, steps)
    registration.register_project(FLIGHTS, NOWHERE)
    assert steps == ["archive", "missing topics", "registered", "settings"]


def test_a_registration_that_is_refused_leaves_the_topics_settings(monkeypatch, steps) -> None:
    registering(monkeypatch, steps, UserError("taken"))
    with pytest.raises(UserError):
        registration.register_project(FLIGHTS, NOWHERE)
    assert "settings" not in steps
