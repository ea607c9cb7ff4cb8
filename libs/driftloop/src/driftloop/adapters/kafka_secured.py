"""A cluster's security block as clients take it: kafka-python's arguments, and what aiokafka shares with them.

Files are read anew for each connection, so a client goes on with rotated credentials as soon as it has to connect again.
"""

import socket
import ssl
from collections.abc import Mapping
from typing import Any, Self

from kafka.net.sasl import register_sasl_mechanism
from kafka.net.sasl.plain import SaslMechanismPlain
from kafka.net.sasl.scram import SaslMechanismScram

from driftloop.adapters.kafka_security import Cluster, KafkaSecurity
from driftloop.adapters.kafka_tokens import Tokens, token_source
from driftloop.errors import ConfigurationError
from driftloop.settings import SecretFile


class FilesContext(ssl.SSLContext):
    """A context that each connection makes anew from the files. What it says itself is never used."""

    security: KafkaSecurity

    def __new__(cls, security: KafkaSecurity) -> Self:
        made = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        made.security = security
        return made

    def wrap_socket(self, sock: socket.socket, *arguments: Any, **named: Any) -> ssl.SSLSocket:
        try:
            return _context(self.security).wrap_socket(sock, *arguments, **named)
        except BaseException:
            sock.close()  # kafka-python would leave it
            raise

    def wrap_bio(self, *arguments: Any, **named: Any) -> ssl.SSLObject:
        return _context(self.security).wrap_bio(*arguments, **named)


def _context(security: KafkaSecurity) -> ssl.SSLContext:
    """Raises ConfigurationError naming the setting whose file is no certificate or no key."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if security.ca_file is None:
        made.load_default_certs()
    else:
        try:
            made.load_verify_locations(security.ca_file)
        except OSError as exc:
            raise ConfigurationError(f"{security.prefix}CA_FILE: {security.ca_file} is no file of PEM certificates ({exc})") from exc
    if security.cert_file is not None:
        password = None if security.key_password is None else security.key_password.read()
        try:
            made.load_cert_chain(security.cert_file, security.key_file, password=password or (lambda: ""))
        except OSError as exc:
            raise ConfigurationError(
                f"{security.prefix}CERT_FILE and KEY_FILE: {security.cert_file} and {security.key_file} are no PEM certificate with "
                f"its key ({exc}); an encrypted key needs {security.prefix}KEY_PASSWORD_FILE"
            ) from exc
    return made


def client_settings(cluster: Cluster) -> dict[str, object]:
    """Arguments of every kafka-python client: addresses, encryption, identity."""
    security = cluster.security
    settings: dict[str, object] = {"bootstrap_servers": cluster.bootstrap.split(","), "security_protocol": security.protocol}
    if security.encrypted:
        settings["ssl_context"] = FilesContext(security)
    if security.mechanism is not None:
        settings["sasl_mechanism"] = security.mechanism
    if security.username is not None:
        settings |= {"sasl_plain_username": security.username, "sasl_plain_password": security.password}
    if (source := token_source(security)) is not None:
        settings["sasl_oauth_token_provider"] = Tokens(source)
    return settings


def _with_password(config: Mapping[str, Any]) -> dict[str, Any]:
    given = config.get("sasl_plain_password")
    return {**config, "sasl_plain_password": given.read() if isinstance(given, SecretFile) else given}


class _Plain(SaslMechanismPlain):  # type: ignore[misc]
    def __init__(self, **config: Any) -> None:
        super().__init__(**_with_password(config))


class _Scram(SaslMechanismScram):  # type: ignore[misc]
    def __init__(self, **config: Any) -> None:
        quoted = str(config["sasl_plain_username"]).replace("=", "=3D").replace(",", "=2C")  # RFC 5802, section 5.1
        super().__init__(**_with_password(config) | {"sasl_plain_username": quoted})


register_sasl_mechanism("PLAIN", _Plain, overwrite=True)
for _name in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
    register_sasl_mechanism(_name, _Scram, overwrite=True)
