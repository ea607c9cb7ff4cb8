"""What TLS and a user cost: rows a second through one broker, by its port with SASL_SSL and by the one without security."""

import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bench.clocks import BenchError
from bench.figures import Aim, Figure, Limit
from bench.fills import fills
from bench.inference_messages import ROWS_PER_MESSAGE
from bench.surroundings import READY_SECONDS, Surroundings
from driftloop.adapters.kafka import Producer, create_topics, stream_topic
from driftloop.adapters.kafka_security import Cluster, KafkaSecurity
from driftloop.contracts.topics import stream_topics
from driftloop.local.aot import ensure_aot_cache
from driftloop.local.kafka import KafkaServer, Listener
from driftloop.local.paths import cache_dir
from driftloop.local.port_numbers import StackPorts, free_port_base
from driftloop.local.process import spawn, stop, wait_ready
from driftloop.settings import SecretFile

ROWS = 100_000
PARTITIONS = 4
TURNS = 3  # of each way, taking turns: the best counts, the others shared the machine with somebody
MAKE_SECRETS = Path(__file__).parents[1] / "infra" / "secrets.sh"

Ways = dict[str, Cluster]


def measure(around: Surroundings) -> Iterator[Figure]:
    """Rows as an application sends them, one by one, and as messages of the predictor; then all of them read."""
    send_lines, send_messages = fills(around.flights, "bench-secured", ROWS, PARTITIONS)

    with _broker(around.folder / "secured") as ways:
        for which, name, fill in ((0, "requests", send_lines), (1, "inferences", send_messages)):
            around.say(f"{ROWS:,} rows of {name}, by SASL_SSL and plain")
            best: dict[tuple[str, str], float] = {}
            for turn in range(TURNS):
                for way, where in ways.items():
                    topic = stream_topics(f"bench-{turn}-{way}")[which]
                    create_topics(ways["plain"], [topic])
                    with closing(Producer(where, client_id="bench")) as producer:
                        began = time.perf_counter()
                        fill(producer, topic.name)
                        written = time.perf_counter() - began
                    began = time.perf_counter()
                    if not sum(1 for _ in stream_topic(where, topic.name)):
                        raise BenchError(f"{topic.name} holds nothing")
                    read = time.perf_counter() - began
                    for part, seconds in (("written", written), ("read", read)):
                        best[part, way] = min(seconds, best.get((part, way), seconds))
            what = "JSON rows" if which == 0 else f"Arrow messages of {ROWS_PER_MESSAGE:,} rows"
            for part in ("written", "read"):
                limit = Limit("the same without security", ROWS / best[part, "plain"])
                yield Figure(
                    name=f"secured-{name}-{part}",
                    what=f"{what}, {part} by SASL_SSL",
                    value=ROWS / best[part, "secured"],
                    unit="rows/s",
                    limit=limit,
                    aim=Aim(0.75, "at least", "ratio"),
                )


@contextmanager
def _broker(home: Path) -> Iterator[Ways]:
    subprocess.run(["bash", MAKE_SECRETS, home / "secrets"], check=True, capture_output=True)
    password = secrets.token_hex(10)
    (home / "password").write_text(password)
    ports, cache = StackPorts(free_port_base()), cache_dir(home)
    listener = Listener(
        "SECURED",
        ports.base + 3,
        "SASL_SSL",
        {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(home / "secrets" / "kafka-keystore"),
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        },
    )
    ensure_aot_cache(cache)
    server = KafkaServer(home, cache, ports.kafka, ports.kafka_controller, listeners=(listener,), scram={"bench": password})
    server.prepare()
    spec = server.spec()
    process = spawn(spec)
    try:
        wait_ready(process, spec, READY_SECONDS)
        security = KafkaSecurity(
            protocol="SASL_SSL",
            ca_file=str(home / "secrets" / "kafka-ca"),
            mechanism="SCRAM-SHA-512",
            username="bench",
            password=SecretFile("PASSWORD_FILE", str(home / "password")),
        )
        yield {"secured": Cluster(listener.bootstrap, security), "plain": Cluster(server.bootstrap)}
    finally:
        stop(process, 0.0)
