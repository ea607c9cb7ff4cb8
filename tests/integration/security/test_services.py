"""Whole services on a broker that asks for TLS and a user, and allows nobody by default."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.integration.monitor.test_exactness import assert_exact
from tests.integration.monitor.world import World
from tests.support.secured_kafka import AUTHORIZER, KINDS, SecuredKafka, secret, secured_kafka
from tests.support.small_service import Scribe
from tests.support.waiting import wait_until

from driftloop.adapters.kafka import Producer, Publisher, create_topics
from driftloop.adapters.kafka_rights import give_rights
from driftloop.contracts.broker_rights import rights
from driftloop.contracts.events import DecisionMade
from driftloop.contracts.topics import CONTROL_TOPICS, DECISIONS
from driftloop.local.s3 import S3Access
from driftloop.service.process import EXIT_CONFIGURATION

PROVIDER = "tests.support.tokens:token"


@pytest.fixture
def decide(secured: SecuredKafka, unique: str) -> Iterator[Callable[[str], None]]:
    create_topics(secured.plain, CONTROL_TOPICS)
    with closing(Producer(secured.plain, client_id=unique)) as producer:

        def published(event_id: str) -> None:
            event = DecisionMade(model=unique, kind="retrain", accepted=True, reason="test", window=None, rule="0" * 64, evidence={})
            Publisher(producer, source="driftloop/test").publish(DECISIONS, event, key=unique, id=f"{event_id}-{unique}")

        yield published


def scribe(secured: SecuredKafka, kind: str, folder: Path, name: str) -> Scribe:
    """With the settings of its own name."""
    told = {"TOKEN_PROVIDER": PROVIDER} if kind == "OAUTHBEARER" else {}
    prefix = f"DRIFTLOOP_{name.upper()}_"
    settings = {key.removeprefix(prefix): value for key, value in secured.variables(kind, folder, service=name, **told).items()}
    bootstrap = settings.pop("KAFKA_BOOTSTRAP")
    made = Scribe(folder, name, bootstrap, **settings)
    made._env["PYTHONPATH"] += f":{Path(__file__).parents[3]}"
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_service_handles_what_comes(
    secured: SecuredKafka, decide: Callable[[str], None], kind: str, unique: str, tmp_path: Path
) -> None:
    decide("first")
    with closing(scribe(secured, kind, tmp_path, f"scribe{unique}")) as service:
        service.start()
        wait_until(lambda: f"first-{unique}" in service.notes(), f"the decision to be noted down, see {service.log}")
        assert service.terminate() == 0


def test_a_wrong_password_ends_it_with_one_sentence_and_nothing_is_lost(
    secured: SecuredKafka, decide: Callable[[str], None], unique: str, tmp_path: Path
) -> None:
    name = f"scribe{unique}"
    with closing(scribe(secured, "SCRAM-SHA-512", tmp_path, name)) as service:
        right = (tmp_path / "password").read_text()
        secret(tmp_path / "password", "wrong")
        service.start()
        assert service.wait(300) == EXIT_CONFIGURATION
        told = [line for line in service.log.read_text().splitlines() if line.startswith(f"driftloop {name}: ")]
        assert len(told) == 1
        assert f"DRIFTLOOP_{name.upper()}_KAFKA_PASSWORD_FILE={tmp_path / 'password'}" in told[0]
        decide("meanwhile")
        secret(tmp_path / "password", right)
        service.start()
        wait_until(lambda: f"meanwhile-{unique}" in service.notes(), f"the decision to be noted down, see {service.log}")


def test_the_monitor_with_no_more_rights_than_it_has(s3: S3Access, unique: str, tmp_path: Path) -> None:
    with secured_kafka(AUTHORIZER) as broker:
        world = World(broker.plain, s3, f"m{unique}", tmp_path)
        give_rights(broker.plain, rights([world.project.stream]), lambda user: f"User:{user}")
        variables = broker.variables("SCRAM-SHA-512", tmp_path, "monitor", service="monitor")
        try:
            worker = world.start_worker(**variables)
            with world.sending(pause_seconds=0):
                pass
            assert_exact(world)
            assert worker.terminate() == 0, worker.tail()
        finally:
            world.stop()
