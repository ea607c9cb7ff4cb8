"""Credentials that change while clients run. The broker asks again every few seconds who is there: no connection has to be lost first."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from tests.support.clients import create_topic
from tests.support.secured_kafka import SecuredKafka, TokenEndpoint, cluster, secret, secured_kafka
from tests.support.waiting import PATIENCE_SECONDS, wait_until

from driftloop.adapters.kafka import GroupConsumer, Producer
from driftloop.adapters.kafka_clients import refusal_of
from driftloop.errors import ConfigurationError
from driftloop_monitor.faust_support.broker_security import credentials

ASKED_AGAIN_MS = 4_000


@pytest.fixture(scope="module")
def asking() -> Iterator[SecuredKafka]:
    with secured_kafka(
        sasl={f"{name}.connections.max.reauth.ms": str(ASKED_AGAIN_MS) for name in ("scram-sha-512", "oauthbearer")}
    ) as broker:
        yield broker


def test_running_clients_go_on_when_the_file_has_the_new_password(asking: SecuredKafka, unique: str, tmp_path: Path) -> None:
    where = asking.cluster("SCRAM-SHA-512", tmp_path, unique)
    create_topic(asking.plain, unique)
    values: list[bytes | None] = []
    member = GroupConsumer(where, group=unique, topics=[unique], client_id=unique)
    with closing(member), closing(Producer(where, client_id=unique, delivery_timeout_seconds=PATIENCE_SECONDS)) as producer:

        def read() -> list[bytes | None]:
            values.extend(r.value for batch in member.poll(0.2).values() for r in batch)
            return values

        producer.send(unique, b"before", partition=0)
        producer.flush()
        wait_until(lambda: read() == [b"before"], "the first record")
        new = asking.add_user(unique, "rotated")
        wait_until(lambda: read() and refusal_of(member._inner), "the reader to be refused")
        said = refusal_of(member._inner)
        assert said is not None
        assert f"DRIFTLOOP_TEST_KAFKA_PASSWORD_FILE={tmp_path / 'password'}" in said
        producer.send(unique, b"meanwhile", partition=0)
        wait_until(lambda: refusal_of(producer._inner), "the producer to be refused")
        secret(tmp_path / "password", new)
        producer.flush()
        wait_until(lambda: read() == [b"before", b"meanwhile"], "the second record")
        assert refusal_of(producer._inner) is None


def test_the_client_that_faust_uses_goes_on_too(asking: SecuredKafka, unique: str, tmp_path: Path) -> None:
    from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

    where = asking.cluster("SCRAM-SHA-512", tmp_path, unique)
    create_topic(asking.plain, unique)
    told = {"bootstrap_servers": where.bootstrap, **credentials_to_aiokafka_auth(credentials(where.security))}

    def send(value: bytes) -> None:
        with closing(Producer(asking.plain, client_id=unique)) as producer:
            producer.send(unique, value, partition=0)
            producer.flush()

    async def through() -> list[bytes]:
        async with AIOKafkaConsumer(**told, auto_offset_reset="earliest", enable_auto_commit=False) as consumer:
            consumer.assign([TopicPartition(unique, 0)])
            await asyncio.to_thread(send, b"before")
            values = [bytes((await consumer.getone()).value)]
            secret(tmp_path / "password", asking.add_user(unique, "rotated"))
            await asyncio.sleep(2 * ASKED_AGAIN_MS / 1000)  # its connection is closed meanwhile: it cannot say again who it is
            await asyncio.to_thread(send, b"after")
            values.append(bytes((await asyncio.wait_for(consumer.getone(), PATIENCE_SECONDS)).value))
            return values

    assert asyncio.run(through()) == [b"before", b"after"]


def test_a_token_is_renewed_before_it_ends(asking: SecuredKafka, endpoint: TokenEndpoint, unique: str, tmp_path: Path) -> None:
    endpoint.seconds = 5.0
    where = asking.cluster("OAUTHBEARER", tmp_path, **endpoint.settings(tmp_path))
    create_topic(asking.plain, unique)
    with closing(Producer(where, client_id=unique)) as producer:
        asked = len(endpoint.asked)
        producer.send(unique, b"x", partition=0)
        producer.flush()
        wait_until(lambda: len(endpoint.asked) >= asked + 2, "the client to ask for tokens again")
        producer.send(unique, b"x", partition=0)
        producer.flush()
    assert endpoint.asked[0] == {"grant_type": ["client_credentials"], "scope": ["kafka"]}


def test_a_client_secret_that_was_rotated_and_is_right_again(asking: SecuredKafka, tmp_path: Path) -> None:
    endpoint = TokenEndpoint("alice", "first")
    with closing(endpoint):
        where = cluster(asking.variables("OAUTHBEARER", tmp_path, **endpoint.settings(tmp_path)))
        endpoint.client_secret = "second"
        with pytest.raises(ConfigurationError, match="HTTP 401"):
            Producer(where, client_id="t")
        secret(tmp_path / "client-secret", "second")
        Producer(where, client_id="t").close()
