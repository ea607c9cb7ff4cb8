"""A real broker with a port for each kind of security, and the settings of clients that may use it."""

import base64
import json
import secrets
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

from tests.support.certificates import Authority
from tests.support.ports import free_port, free_port_base
from tests.support.servers import running, shared_cache
from tests.support.tokens import unsigned_token

from driftloop.adapters.kafka_security import Cluster, kafka_cluster
from driftloop.local.aot import ensure_aot_cache
from driftloop.local.kafka import KafkaServer, Listener
from driftloop.local.port_numbers import StackPorts
from driftloop.settings import Environment

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from kafka import KafkaAdminClient
    from kafka.admin import UserScramCredentialUpsertion
    from kafka.protocol.admin import DescribeClientQuotasRequest

SERVICE = "test"
KINDS = ("SSL", "mTLS", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
_COMMON = "org.apache.kafka.common.security"
AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "false",
    "super.users": "User:ANONYMOUS;User:admin",  # ANONYMOUS: whoever comes by the port without security, which is the test itself
}


class SecuredKafka:
    """``plain``: the port without security, for what a test does as administrator."""

    def __init__(self, folder: Path, plain: str, listeners: Mapping[str, Listener], authority: Authority) -> None:
        self.folder, self.plain, self.authority = folder, plain, authority
        self.listeners = listeners
        self.passwords: dict[str, str] = {}

    def add_user(self, name: str, password: str | None = None) -> str:
        """Or give it another password. Returns that."""
        password = password or secrets.token_hex(8)
        admin = KafkaAdminClient(bootstrap_servers=self.plain)
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            failed = admin.alter_user_scram_credentials([UserScramCredentialUpsertion(name, mechanism, password)])
            assert not any(failed.values()), failed
        admin.close()
        self.passwords[name] = password
        return password

    def quotas(self, user: str) -> dict[str, float]:
        component = DescribeClientQuotasRequest.ComponentData(entity_type="user", match_type=0, match=user)
        admin = KafkaAdminClient(bootstrap_servers=self.plain)
        answer = admin._manager.run(admin._manager.send, DescribeClientQuotasRequest(components=[component], strict=True))
        admin.close()
        return {value.key: value.value for entry in answer.entries for value in entry.values}

    def variables(self, kind: str, folder: Path, name: str = "alice", service: str = SERVICE, **changed: str | None) -> dict[str, str]:
        """Settings of a client that this kind of security lets in; its secrets are files of ``folder``."""
        listener = self.listeners["SASL" if kind not in self.listeners else kind]
        told: dict[str, str | None] = {
            "BOOTSTRAP": listener.bootstrap,
            "SECURITY_PROTOCOL": listener.protocol,
            "CA_FILE": str(self.authority.cert),
        }
        if kind == "mTLS":
            identity = self.authority.client(name)
            told |= {"CERT_FILE": str(identity.cert), "KEY_FILE": str(identity.key)}
        if listener.protocol == "SASL_SSL":
            told |= {"SASL_MECHANISM": kind}
        if kind == "PLAIN":
            told |= {"USERNAME": "alice", "PASSWORD_FILE": str(secret(folder / "password", "plain-password"))}
        if kind.startswith("SCRAM"):
            password = self.passwords.get(name) or self.add_user(name)
            told |= {"USERNAME": name, "PASSWORD_FILE": str(secret(folder / "password", password))}
        told |= changed
        return {f"DRIFTLOOP_{service.upper()}_KAFKA_{key}": value for key, value in told.items() if value is not None}

    def cluster(self, kind: str, folder: Path, name: str = "alice", **changed: str | None) -> Cluster:
        return cluster(self.variables(kind, folder, name, **changed))


def cluster(variables: Mapping[str, str]) -> Cluster:
    return kafka_cluster(Environment(SERVICE, variables))


def secret(path: Path, text: str) -> Path:
    path.write_text(text + "\n")
    return path


@contextmanager
def secured_kafka(properties: Mapping[str, str] | None = None, sasl: Mapping[str, str] | None = None) -> Iterator[SecuredKafka]:
    """A broker that ends with the block. ``sasl``: further properties of the port with users."""
    ports = StackPorts(free_port_base())
    ensure_aot_cache(shared_cache())
    with tempfile.TemporaryDirectory(prefix="driftloop-") as home:
        authority = Authority(Path(home) / "ca")
        store = authority.server().keystore(Path(home) / "ca" / "server.pem")
        tls = {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(store)}
        trusting = {
            "ssl.client.auth": "required",
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(authority.cert),
            "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/",
        }
        listeners = {
            "SSL": Listener("TLS", free_port(), "SSL", tls),
            "mTLS": Listener("MTLS", free_port(), "SSL", tls | trusting),
            "SASL": Listener("SASL", free_port(), "SASL_SSL", tls | _mechanisms() | dict(sasl or {})),
        }
        server = KafkaServer(
            Path(home),
            shared_cache(),
            ports.kafka,
            ports.kafka_controller,
            tuple(listeners.values()),
            properties or {},
            {"admin": "admin-pw"},
        )
        server.prepare()
        with running(server.spec()):
            yield SecuredKafka(Path(home), server.bootstrap, listeners, authority)


def _mechanisms() -> dict[str, str]:
    scram = f"{_COMMON}.scram.ScramLoginModule required;"
    return {
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
        "plain.sasl.jaas.config": f'{_COMMON}.plain.PlainLoginModule required user_alice="plain-password";',
        "scram-sha-256.sasl.jaas.config": scram,
        "scram-sha-512.sasl.jaas.config": scram,
        "oauthbearer.sasl.jaas.config": f'{_COMMON}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
    }


class TokenEndpoint:
    """Client credentials for tokens (RFC 6749, section 4.4)."""

    def __init__(self, client_id: str, client_secret: str) -> None:
        self.client_id, self.client_secret, self.seconds = client_id, client_secret, 3600.0
        self.asked: list[dict[str, list[str]]] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                endpoint.asked.append(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                wanted = base64.b64encode(f"{endpoint.client_id}:{endpoint.client_secret}".encode()).decode()
                good = self.headers["Authorization"] == f"Basic {wanted}"
                token = {"access_token": unsigned_token(endpoint.client_id, endpoint.seconds), "expires_in": endpoint.seconds}
                body = json.dumps(token if good else {"error": "invalid_client"}).encode()
                self.send_response(200 if good else 401)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/token"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def settings(self, folder: Path, **changed: str | None) -> dict[str, str | None]:
        """What a client of it is told, beside where the broker is."""
        told: dict[str, str | None] = {
            "OAUTH_TOKEN_ENDPOINT": self.url,
            "OAUTH_CLIENT_ID": self.client_id,
            "OAUTH_CLIENT_SECRET_FILE": str(secret(folder / "client-secret", self.client_secret)),
            "OAUTH_SCOPE": "kafka",
        }
        return told | changed
