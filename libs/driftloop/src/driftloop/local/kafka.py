"""A real Kafka broker for one machine: KRaft, one node, on loopback."""

import secrets
import socket
import struct
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from driftloop.local.errors import LocalStackError
from driftloop.local.jars import ensure_jars
from driftloop.local.java import aot_cache_path, java_command
from driftloop.local.process import ProcessSpec

NAME = "kafka"
FORMAT_TIMEOUT_SECONDS = 60
MAX_MESSAGE_BYTES = 16 * 1024 * 1024  # quarantine takes 8 MiB and its batch has overhead

# The session timeout is how long a killed broker's successor waits for its own old registration to lapse.
_CONFIG = """\
node.id=1
process.roles=broker,controller
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=BROKER://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}{listeners}
advertised.listeners=BROKER://127.0.0.1:{port}{listeners}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}
inter.broker.listener.name=BROKER
log.dirs={data}
auto.create.topics.enable=false
num.partitions=4
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
transaction.max.timeout.ms=60000
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
broker.heartbeat.interval.ms=1000
broker.session.timeout.ms=9000
group.initial.rebalance.delay.ms=0
message.max.bytes={max_message_bytes}
replica.fetch.max.bytes={max_message_bytes}
socket.request.max.bytes={max_request_bytes}
log.cleaner.dedupe.buffer.size=8388608
log.segment.bytes=134217728
num.network.threads=2
num.io.threads=4
background.threads=2
num.recovery.threads.per.data.dir=1
controlled.shutdown.enable=false
"""


@dataclass(frozen=True)
class Listener:
    """One more port of the broker, with security. ``properties`` are Kafka's of this listener, such as ``ssl.client.auth``."""

    name: str
    port: int
    protocol: Literal["SSL", "SASL_SSL"]
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def lines(self) -> list[str]:
        return [f"listener.name.{self.name.lower()}.{key}={value}" for key, value in self.properties.items()]


@dataclass(frozen=True)
class KafkaServer:
    """Writes the configuration, formats the log directory, and says how to run the broker. Its data is under `<home>/kafka`.

    Plain on loopback; ``listeners`` are further ports, ``properties`` further settings, and the users of ``scram`` with their
    passwords are there from the first start, for SCRAM-SHA-512.
    """

    home: Path
    cache: Path
    port: int
    controller_port: int
    listeners: Sequence[Listener] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    scram: Mapping[str, str] = field(default_factory=dict)

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def config_file(self) -> Path:
        return self.home / "kafka" / "server.properties"

    @property
    def data(self) -> Path:
        return self.home / "kafka" / "data"

    def prepare(self) -> None:
        """Fetch the jars, write the configuration, format the log directory on the first run."""
        jars = ensure_jars(self.cache)
        self.data.mkdir(parents=True, exist_ok=True)
        config = _CONFIG.format(
            port=self.port,
            controller_port=self.controller_port,
            data=self.data,
            max_message_bytes=MAX_MESSAGE_BYTES,
            max_request_bytes=4 * MAX_MESSAGE_BYTES,
            listeners="".join(f",{each.name}://{each.bootstrap}" for each in self.listeners),
            protocols="".join(f",{each.name}:{each.protocol}" for each in self.listeners),
        )
        further = [f"{key}={value}" for key, value in self.properties.items()]
        self.config_file.touch(mode=0o600)  # listeners may have passwords
        self.config_file.write_text("\n".join([config, *further, *(line for each in self.listeners for line in each.lines()), ""]))
        if not (self.data / "meta.properties").exists():
            self._format(jars)

    def spec(self, *jvm_flags: str) -> ProcessSpec:
        """The process to supervise; ready when the broker answers and is part of its cluster."""
        jars = ensure_jars(self.cache)
        jvm_flags = jvm_flags or self._start_cache(jars)
        return ProcessSpec(
            name=NAME,
            argv=java_command(jars, "kafka.Kafka", [str(self.config_file)], jvm_flags),
            env={},
            log_path=self.home / "logs" / "kafka.log",
            ready=lambda: answers(self.port),
        )

    def _start_cache(self, jars: list[Path]) -> tuple[str, ...]:
        """The flag that makes Java start sooner; none before there is a cache."""
        aot = aot_cache_path(self.cache, jars)
        return (f"-XX:AOTCache={aot}",) if aot.exists() else ()

    def _format(self, jars: list[Path]) -> None:
        jvm_flags = ("-XX:TieredStopAtLevel=1", *self._start_cache(jars))
        # one word with "=": an id may start with "-"
        arguments = ["format", f"--cluster-id={secrets.token_urlsafe(16)}", "--config", str(self.config_file)]
        for user, password in self.scram.items():
            arguments += ["--add-scram", f"SCRAM-SHA-512=[name={user},password={password}]"]
        command = java_command(jars, "kafka.tools.StorageTool", arguments, jvm_flags)
        done = subprocess.run(command, capture_output=True, text=True, timeout=FORMAT_TIMEOUT_SECONDS, check=False)
        if done.returncode != 0:
            reason = (done.stderr or done.stdout).strip().splitlines()
            raise LocalStackError(f"cannot format Kafka's log directory {self.data}: {reason[-1] if reason else 'no output'}")


def answers(port: int, timeout_seconds: float = 2.0) -> bool:
    """Whether the broker answers a metadata request and names a live broker.

    A hand-made request: an open port alone does not mean that topics can be created.
    """
    no_topics = struct.pack(">i", 0)
    header = struct.pack(">hhih", 3, 1, 7, -1)  # Metadata, version 1, correlation id, no client id
    request = header + no_topics
    try:
        with socket.create_connection(("127.0.0.1", port), timeout_seconds) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            (size,) = struct.unpack(">i", _read(connection, 4))
            body = _read(connection, size)
    except OSError:
        return False
    brokers: int = struct.unpack_from(">ii", body)[1]  # after the correlation id
    return brokers > 0


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = connection.recv(size - len(data))
        if not chunk:
            raise ConnectionError("closed")
        data += chunk
    return data
