"""A broker that allows nobody by default, and the rights that follow from the tables."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.secured_kafka import AUTHORIZER, SecuredKafka, secured_kafka
from tests.support.waiting import wait_until

from driftloop.adapters.kafka import AssignedConsumer, GroupConsumer, Producer, check_topics, create_topics, read_topic
from driftloop.adapters.kafka_rights import give_rights, set_quotas
from driftloop.adapters.kafka_security import Cluster
from driftloop.contracts.broker_rights import USERS, quotas, rights
from driftloop.contracts.services import SERVICES
from driftloop.contracts.topics import CONTROL_TOPICS, DECISIONS, REGISTRY_LOG, RETRAIN_REQUESTS, stream_topics
from driftloop.errors import ConfigurationError
from driftloop.ports import TopicPartition

STREAM = "shop"
TOPICS = (*CONTROL_TOPICS, *stream_topics(STREAM))


@pytest.fixture(scope="module")
def guarded() -> Iterator[SecuredKafka]:
    with secured_kafka(AUTHORIZER) as broker:
        create_topics(broker.plain, TOPICS)
        give_rights(broker.plain, rights([STREAM]), lambda user: f"User:{user}")
        yield broker


@pytest.fixture
def by(guarded: SecuredKafka, tmp_path: Path) -> dict[str, Cluster]:
    """The cluster as each user comes to it."""
    folders = {user: tmp_path / user for user in (*USERS, "nobody")}
    for folder in folders.values():
        folder.mkdir()
    return {user: guarded.cluster("SCRAM-SHA-512", folder, user) for user, folder in folders.items()}


def send(where: Cluster, topic: str) -> None:
    with closing(Producer(where, client_id="test", delivery_timeout_seconds=20)) as producer:
        producer.send(topic, b"x", partition=0)
        producer.flush()


def read_from(where: Cluster, topic: str) -> None:
    """Without asking first whether there is such a topic."""
    with closing(AssignedConsumer(where, [TopicPartition(topic, 0)], client_id="test")) as reader:
        reader.seek(TopicPartition(topic, 0), 0)
        wait_until(lambda: reader.poll(0.5), f"records of {topic}")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_writes_what_it_writes_and_nothing_else(by: dict[str, Cluster], service: str) -> None:
    for topic in TOPICS:
        if service in topic.written_by:
            send(by[service], topic.name)
            continue
        with pytest.raises(ConfigurationError) as caught:
            send(by[service], topic.name)
        assert "the broker's rights allow this user not this topic" in str(caught.value)
        assert "`driftloop acls show` says which rights who needs" in str(caught.value)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reads_what_it_reads_and_nothing_else(guarded: SecuredKafka, by: dict[str, Cluster], service: str) -> None:
    for topic in TOPICS:
        send(Cluster(guarded.plain), topic.name)
        if service in topic.read_by:
            assert b"x" in [r.value for r in read_topic(by[service], topic.name)]
            continue
        with pytest.raises(ConfigurationError):
            read_from(by[service], topic.name)


@pytest.mark.parametrize("service", SERVICES)
def test_its_check_at_start_passes(by: dict[str, Cluster], service: str) -> None:
    check_topics(by[service], SERVICES[service].topics(STREAM))


def test_a_group_of_another_service_is_refused(by: dict[str, Cluster]) -> None:
    member = GroupConsumer(by["trainer"], group="registry", topics=[RETRAIN_REQUESTS], client_id="test")
    with closing(member), pytest.raises(ConfigurationError) as caught:
        wait_until(lambda: member.poll(0.5), "records that nobody may read")
    assert "not this consumer group" in str(caught.value)


def test_applications_send_and_see_nothing(by: dict[str, Cluster]) -> None:
    send(by["applications"], f"{STREAM}.requests")
    send(by["applications"], f"{STREAM}.labels")
    for topic in (DECISIONS, REGISTRY_LOG, f"{STREAM}.inferences"):
        with pytest.raises(ConfigurationError):
            send(by["applications"], topic)


def test_a_user_without_rights_is_told_so(by: dict[str, Cluster]) -> None:
    with pytest.raises(ConfigurationError):
        read_topic(by["nobody"], REGISTRY_LOG)
    with pytest.raises(ConfigurationError) as caught:
        give_rights(by["nobody"], rights([]), lambda user: f"User:{user}")
    assert "the broker's rights allow this user not this about the cluster" in str(caught.value)


def test_the_commands_give_what_is_missing_and_only_that(by: dict[str, Cluster]) -> None:
    given = give_rights(by["cli"], rights([STREAM, "another"]), lambda user: f"User:{user}")
    assert set(given) == set(rights([STREAM, "another"])) - set(rights([STREAM]))
    assert give_rights(by["cli"], rights([STREAM, "another"]), lambda user: f"User:{user}") == ()


def test_quotas_are_set(guarded: SecuredKafka) -> None:
    set_quotas(guarded.plain, quotas([STREAM]), lambda user: f"User:{user}")
    wanted = next(quota for quota in quotas([STREAM]) if quota.user == "ingest")
    assert guarded.quotas("ingest") == {"producer_byte_rate": wanted.produce, "consumer_byte_rate": wanted.consume}


def test_a_broker_without_an_authorizer_is_told_so(secured: SecuredKafka) -> None:
    with pytest.raises(ConfigurationError, match="the broker has no authorizer"):
        give_rights(secured.plain, rights([]), lambda user: f"User:{user}")
