"""Where an installation is: the local stack of this folder, or the one that the environment names."""

import logging
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit

from driftloop.adapters.kafka_security import PLAINTEXT, Cluster, KafkaSecurity, kafka_cluster
from driftloop.errors import ConfigurationError, UserError
from driftloop.local.addresses import StackAddresses, read_addresses
from driftloop.local.background import running_stack
from driftloop.local.paths import default_home
from driftloop.settings import Environment, S3Settings, s3_settings

KEPT_DEMO = "demo"  # in a home: that of the stack which `driftloop demo --keep` has left up
log = logging.getLogger(__name__)


class Installation(NamedTuple):
    """Addresses of a running one. ``services`` maps an instance, such as predictor-0, to its URL."""

    home: Path
    kafka_bootstrap: str
    s3: S3Settings
    registry_url: str
    services: dict[str, str]
    restarts: Mapping[str, int] = MappingProxyType({})  # of a local stack's processes, by name
    failures: Mapping[str, str] = MappingProxyType({})  # those that its supervisor has given up on, and why
    kafka_security: KafkaSecurity = PLAINTEXT

    @property
    def kafka(self) -> Cluster:
        """What every client of the broker is made from."""
        return Cluster(self.kafka_bootstrap, self.kafka_security)


def named_by_environment() -> bool:
    """Whether it runs elsewhere, such as in containers, and is not the stack of this folder."""
    return "DRIFTLOOP_CLI_KAFKA_BOOTSTRAP" in os.environ


def current_installation() -> Installation:
    """Raises UserError when none is known."""
    if named_by_environment():
        return _from_environment()
    return installation_of(read_addresses(stack_home()))


def stack_home() -> Path:
    """Home of the local stack that is meant: ``default_home()``, or, while no stack runs there and a demo has kept one, the demo's. The
    second is logged, which the command line shows."""
    home = default_home()
    kept = home / KEPT_DEMO
    if running_stack(home) is not None or running_stack(kept) is None:
        return home
    log.info("no stack runs in %s: this is the one that a demo has kept up, in %s", home, kept)
    return kept


def installation_of(addresses: StackAddresses) -> Installation:
    """That of a local stack's own description."""
    access = addresses.s3
    return Installation(
        home=Path(addresses.home),
        kafka_bootstrap=addresses.kafka_bootstrap,
        s3=S3Settings(
            endpoint=access.endpoint,
            bucket=access.bucket,
            region=access.region,
            access_key=access.access_key,
            secret_key=access.secret_key,
        ),
        registry_url=addresses.registry_url,
        services=dict(addresses.services),
        restarts=dict(addresses.restarts),
        failures=dict(addresses.failures),
    )


def without_services(home: Path, kafka: Cluster, s3: S3Settings, registry_url: str) -> Installation:
    """As one of its own services knows it, which asks broker, store and registry, and no other service."""
    return Installation(
        home=home, kafka_bootstrap=kafka.bootstrap, kafka_security=kafka.security, s3=s3, registry_url=registry_url, services={}
    )


def _from_environment() -> Installation:
    env = Environment("cli")
    try:
        kafka = kafka_cluster(env)
        return Installation(
            home=default_home(),
            kafka_bootstrap=kafka.bootstrap,
            kafka_security=kafka.security,
            s3=s3_settings(env),
            registry_url=env.text("REGISTRY_URL"),
            services=instances(env.text("SERVICES", " ")),
        )
    except ConfigurationError as exc:
        raise UserError(str(exc)) from exc


def environment_addresses() -> StackAddresses:
    """The environment's stack as a local one describes itself; what is kept of its logs is not known here."""
    info, env = _from_environment(), Environment("cli")
    return StackAddresses(
        home=str(info.home),
        port_base=0,
        kafka_bootstrap=info.kafka_bootstrap,
        s3_endpoint=info.s3.endpoint,
        s3_access_key_file=env.optional("S3_ACCESS_KEY_FILE") or "",
        s3_secret_key_file=env.optional("S3_SECRET_KEY_FILE") or "",
        s3_region=info.s3.region,
        s3_bucket=info.s3.bucket,
        registry_url=info.registry_url,
        services=info.services,
        log_files={name: f"the logs of {name}" for name in info.services},
    )


def instances(services: str) -> dict[str, str]:
    """URL by instance, of ``predictor=http://predictor:8080,…``. A name that stands for several addresses is several instances."""
    found: dict[str, str] = {}
    for service, _, url in (pair.partition("=") for pair in services.split(",") if "=" in pair):
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        try:
            addresses = sorted({str(answer[4][0]) for answer in socket.getaddrinfo(host, port, socket.AF_INET)})
        except OSError:
            addresses = [host]
        for number, address in enumerate(addresses if len(addresses) > 1 else [host]):
            found[f"{service.strip()}-{number}"] = f"{parts.scheme}://{address}:{port}"
    return found
