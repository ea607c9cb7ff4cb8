"""Whom a client asks: the store, the broker, the registry; each connection is made when it is needed."""

from functools import cached_property
from typing import TYPE_CHECKING

from driftloop.adapters.kafka_security import Cluster
from driftloop.errors import UserError
from driftloop.installation import Installation
from driftloop.settings import S3Settings

if TYPE_CHECKING:
    from driftloop.adapters.kafka import KafkaTopics
    from driftloop.adapters.s3 import MinioObjectStore
    from driftloop.client.registry_client import RegistryClient


class Connections:
    """``installation`` None: only the store is known."""

    def __init__(self, s3: S3Settings, installation: Installation | None) -> None:
        self.s3, self._installation = s3, installation

    @property
    def installation(self) -> Installation:
        """Raises UserError when only the store is known."""
        if self._installation is None:
            raise UserError(
                "this client was given the address of a store alone; broker, registry and services are asked by a client of a stack: "
                "driftloop.Client() where one runs or DRIFTLOOP_CLI_… names one, or driftloop.Client(stack=…)"
            )
        return self._installation

    @property
    def kafka(self) -> Cluster:
        """The broker. Raises UserError when only the store is known."""
        return self.installation.kafka

    @cached_property
    def topics(self) -> "KafkaTopics":
        """Raises UserError when only the store is known."""
        from driftloop.adapters.kafka import KafkaTopics

        return KafkaTopics(self.kafka, client_id="driftloop-client")

    @cached_property
    def store(self) -> "MinioObjectStore":
        from driftloop.adapters.s3 import MinioObjectStore

        return MinioObjectStore(self.s3)

    @cached_property
    def registry(self) -> "RegistryClient":
        """Raises UserError when only the store is known."""
        from driftloop.client.registry_client import RegistryClient

        return RegistryClient(self.installation.registry_url)
