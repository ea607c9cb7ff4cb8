"""Every client by every kind of security: records get through, and what is wrong is one sentence with its remedy."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from kafka import KafkaAdminClient
from tests.support.certificates import Authority
from tests.support.clients import create_topic
from tests.support.secured_kafka import KINDS, SecuredKafka, TokenEndpoint, cluster, secret
from tests.support.waiting import wait_until

from driftloop.adapters.kafka import GroupConsumer, Producer, partitions_of, read_topic
from driftloop.adapters.kafka_clients import connected
from driftloop.adapters.kafka_security import Cluster
from driftloop.errors import ConfigurationError, TransientError
from driftloop_monitor.faust_support.broker_security import credentials

PROVIDER = "tests.support.tokens:token"


@pytest.fixture(params=[*KINDS, "endpoint"])
def good(request: pytest.FixtureRequest, secured: SecuredKafka, endpoint: TokenEndpoint, tmp_path: Path) -> Cluster:
    if request.param == "endpoint":
        return secured.cluster("OAUTHBEARER", tmp_path, **endpoint.settings(tmp_path))
    told = {"TOKEN_PROVIDER": PROVIDER} if request.param == "OAUTHBEARER" else {}
    return secured.cluster(request.param, tmp_path, **told)


class TestRecordsGetThrough:
    def test_by_producer_group_reader_and_admin(self, good: Cluster, secured: SecuredKafka, unique: str) -> None:
        create_topic(secured.plain, unique, partitions=2)
        assert partitions_of(good, unique) == 2
        with closing(Producer(good, client_id=unique)) as producer:
            for n in range(10):
                producer.send(unique, b"%d" % n, partition=0)
            producer.flush()
        assert [r.value for r in read_topic(good, unique)] == [b"%d" % n for n in range(10)]
        values: list[bytes | None] = []
        with closing(GroupConsumer(good, group=f"g-{unique}", topics=[unique], client_id=unique)) as member:
            wait_until(lambda: values.extend(r.value for batch in member.poll(0.2).values() for r in batch) or len(values) == 10, "records")

    def test_by_the_client_that_faust_uses(self, good: Cluster, secured: SecuredKafka, unique: str) -> None:
        from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

        create_topic(secured.plain, unique)
        told = {"bootstrap_servers": good.bootstrap, **credentials_to_aiokafka_auth(credentials(good.security))}

        async def through() -> bytes:
            async with AIOKafkaProducer(**told) as producer:
                await producer.send_and_wait(unique, b"hello")
            async with AIOKafkaConsumer(**told, auto_offset_reset="earliest", enable_auto_commit=False) as consumer:
                consumer.assign([TopicPartition(unique, 0)])
                return bytes((await consumer.getone()).value)

        assert asyncio.run(through()) == b"hello"


def refused(where: Cluster) -> str:
    """What the admin client, a producer and a consumer say of it, which is the same."""
    said = set()
    for connect in (
        lambda: partitions_of(where, "any"),
        lambda: Producer(where, client_id="any"),
        lambda: GroupConsumer(where, group="any", topics=["any"], client_id="any"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            connect()
        said.add(str(caught.value).split(": ", 1)[1])
    assert len(said) == 1, said
    return said.pop()


class TestWhatIsWrong:
    def test_a_ca_that_did_not_sign_the_broker(self, secured: SecuredKafka, tmp_path: Path) -> None:
        other = Authority(tmp_path, "another-ca").cert
        said = refused(secured.cluster("SSL", tmp_path, CA_FILE=str(other)))
        assert f"the broker's certificate is not signed by DRIFTLOOP_TEST_KAFKA_CA_FILE={other}" in said
        assert "name the file of the CA that signed it" in said

    def test_no_ca_at_all(self, secured: SecuredKafka, tmp_path: Path) -> None:
        assert "DRIFTLOOP_TEST_KAFKA_CA_FILE=the system's, because it is not set" in refused(secured.cluster("SSL", tmp_path, CA_FILE=None))

    def test_a_ca_file_that_is_none(self, secured: SecuredKafka, tmp_path: Path) -> None:
        wrong = secret(tmp_path / "ca", "no certificate")
        said = refused(secured.cluster("SSL", tmp_path, CA_FILE=str(wrong)))
        assert f"DRIFTLOOP_TEST_KAFKA_CA_FILE: {wrong} is no file of PEM certificates" in said

    def test_no_client_certificate_where_one_is_required(self, secured: SecuredKafka, tmp_path: Path) -> None:
        said = refused(secured.cluster("mTLS", tmp_path, CERT_FILE=None, KEY_FILE=None))
        assert "the broker refuses the client's certificate" in said
        assert "DRIFTLOOP_TEST_KAFKA_CERT_FILE=not set" in said

    @pytest.mark.parametrize("kind", ["expired", "of another CA"])
    def test_a_client_certificate_that_is_no_good(self, secured: SecuredKafka, tmp_path: Path, kind: str) -> None:
        made = secured.authority.expired("old") if kind == "expired" else Authority(tmp_path, "another-ca").client("alice")
        said = refused(secured.cluster("mTLS", tmp_path, CERT_FILE=str(made.cert), KEY_FILE=str(made.key)))
        assert "the broker refuses the client's certificate" in said
        assert f"check DRIFTLOOP_TEST_KAFKA_CERT_FILE={made.cert}" in said

    def test_a_broker_known_by_another_name(self, secured: SecuredKafka, tmp_path: Path) -> None:
        port = secured.listeners["SSL"].port
        said = refused(secured.cluster("SSL", tmp_path, BOOTSTRAP=f"127.1:{port}"))
        assert "name the host that it is for in DRIFTLOOP_TEST_KAFKA_BOOTSTRAP" in said

    @pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
    def test_a_wrong_password(self, secured: SecuredKafka, tmp_path: Path, mechanism: str) -> None:
        told = secured.variables(mechanism, tmp_path)
        secret(tmp_path / "password", "wrong")
        said = refused(cluster(told))
        assert "the broker refuses user 'alice'" in said
        assert f"DRIFTLOOP_TEST_KAFKA_PASSWORD_FILE={tmp_path / 'password'}" in said

    def test_an_expired_token(self, secured: SecuredKafka, tmp_path: Path) -> None:
        said = refused(secured.cluster("OAUTHBEARER", tmp_path, TOKEN_PROVIDER="tests.support.tokens:expired_token"))
        assert "the broker refuses the token" in said
        assert "It comes by DRIFTLOOP_TEST_KAFKA_TOKEN_PROVIDER" in said

    def test_a_provider_that_fails(self, secured: SecuredKafka, tmp_path: Path) -> None:
        said = refused(secured.cluster("OAUTHBEARER", tmp_path, TOKEN_PROVIDER="tests.support.tokens:no_token"))
        assert "gave no token: PermissionError: not logged in" in said

    def test_a_client_secret_that_the_endpoint_refuses(self, secured: SecuredKafka, endpoint: TokenEndpoint, tmp_path: Path) -> None:
        told = endpoint.settings(tmp_path)
        endpoint.client_secret = "rotated"
        said = refused(secured.cluster("OAUTHBEARER", tmp_path, **told))
        assert "refuses client 'alice' with HTTP 401" in said
        assert "DRIFTLOOP_TEST_KAFKA_OAUTH_CLIENT_SECRET_FILE" in said

    def test_a_mechanism_that_the_port_does_not_have(self, secured: SecuredKafka, tmp_path: Path) -> None:
        said = refused(secured.cluster("SCRAM-SHA-512", tmp_path, BOOTSTRAP=secured.listeners["SSL"].bootstrap))
        assert "DRIFTLOOP_TEST_KAFKA_SASL_MECHANISM=SCRAM-SHA-512" in said

    @pytest.mark.parametrize("kind", ["SSL", "PLAINTEXT"])
    def test_tls_with_a_port_that_has_none_and_the_other_way_round(self, secured: SecuredKafka, tmp_path: Path, kind: str) -> None:
        """The broker hangs up without a word, as one does that is ending: it may be asked again, and a hint is all that can be said."""
        if kind == "SSL":
            where = secured.cluster("SSL", tmp_path, BOOTSTRAP=secured.plain)
        else:
            where = cluster({"DRIFTLOOP_TEST_KAFKA_BOOTSTRAP": secured.listeners["SSL"].bootstrap})
        with pytest.raises(TransientError, match=r"if .* TLS.*, .*set DRIFTLOOP_TEST_KAFKA_SECURITY_PROTOCOL"):
            connected(KafkaAdminClient, where, bootstrap_timeout_ms=2000)
