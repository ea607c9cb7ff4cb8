"""The cluster's security as faust takes it. aiokafka below it reads certificates, passwords and tokens anew for each connection."""

import asyncio
from typing import Any

import faust
from aiokafka.abc import AbstractTokenProvider
from aiokafka.conn import AIOKafkaConnection

from driftloop.adapters.kafka_secured import FilesContext
from driftloop.adapters.kafka_security import KafkaSecurity
from driftloop.adapters.kafka_tokens import TokenSource, token_source
from driftloop.settings import SecretFile


class _Tokens(AbstractTokenProvider):  # type: ignore[misc]
    """A token may take a request: not in the event loop."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    async def token(self) -> str:
        return await asyncio.to_thread(self._source.token)


def credentials(security: KafkaSecurity) -> Any:
    """For ``faust.App(broker_credentials=…)``; None without security. Raises ConfigurationError for a provider that is not there."""
    if not security.encrypted:
        return None
    context = FilesContext(security)
    if security.mechanism is None:
        return faust.SSLCredentials(context)
    if (source := token_source(security)) is not None:
        return faust.OAuthCredentials(oauth_cb=_Tokens(source), ssl_context=context)
    password: Any = security.password  # a file, which the connection reads
    return faust.SASLCredentials(username=security.username, password=password, mechanism=security.mechanism, ssl_context=context)


def _reading(authenticator: Any) -> Any:
    def with_password(self: Any) -> Any:
        given = self._sasl_plain_password
        if not isinstance(given, SecretFile):
            return authenticator(self)
        self._sasl_plain_password = given.read()
        try:
            return authenticator(self)
        finally:
            self._sasl_plain_password = given

    return with_password


AIOKafkaConnection.authenticator_plain = _reading(AIOKafkaConnection.authenticator_plain)
AIOKafkaConnection.authenticator_scram = _reading(AIOKafkaConnection.authenticator_scram)
