"""`driftloop trace` on a lake as large as the demo's: the whole command, from its start to its end."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from bench.clocks import BenchError
from bench.figures import Aim, Figure, Limit
from bench.surroundings import Surroundings
from bench.traced_lake import TracedLake, random_id, traced_lake

REPEATS = 7
_ALONE = """
import hashlib, sys
from concurrent.futures import ThreadPoolExecutor
import driftloop.cli.trace, driftloop.lineage.trace
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.installation import current_installation
store = MinioObjectStore(current_installation().s3)
with ThreadPoolExecutor(16) as pool:
    list(pool.map(lambda key: hashlib.sha256(store.get(key)).hexdigest(), sys.stdin.read().split()))
"""


def measure(around: Surroundings) -> list[Figure]:
    """Twice: with ids that begin with their time, as the flights' do, and with random ones, where every file may hold the event."""
    kinds: dict[str, Callable[[str], str]] = {"trace": str, "trace-random-ids": random_id}
    lakes = {}
    with around.producer() as producer:
        for name, ids in kinds.items():
            around.say(f"filling a lake of the demo's size for {name}")
            lakes[name] = traced_lake(around, producer, f"bench-{name}", ids)
    with around.service("registry", "bench-trace") as registry:
        commands = _Commands(around, registry.url)
        return [_figure(around, commands, name, lake) for name, lake in lakes.items()]


class _Commands:
    """Processes that ask the bench's stack. The registry knows both streams; each command looks into both lakes."""

    def __init__(self, around: Surroundings, registry_url: str) -> None:
        s3, addresses = around.s3, around.addresses
        named = {
            "KAFKA_BOOTSTRAP": addresses.kafka_bootstrap,
            "S3_ENDPOINT": s3.endpoint,
            "S3_BUCKET": s3.bucket,
            "S3_REGION": s3.region,
            "S3_ACCESS_KEY_FILE": addresses.s3_access_key_file,
            "S3_SECRET_KEY_FILE": addresses.s3_secret_key_file,
            "REGISTRY_URL": registry_url,
        }
        self._env = os.environ | {f"DRIFTLOOP_CLI_{k}": v for k, v in named.items()} | {"DRIFTLOOP_HOME": str(around.folder)}

    def seconds(self, arguments: list[str], given: str = "") -> tuple[float, str]:
        began = time.monotonic()
        done = subprocess.run([sys.executable, *arguments], env=self._env, input=given, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - began
        if done.returncode != 0:
            raise BenchError(f"{' '.join(arguments)[:80]} ended with {done.returncode}: {done.stderr[-500:]}{done.stdout[-500:]}")
        return seconds, done.stdout


def _figure(around: Surroundings, commands: _Commands, name: str, lake: TracedLake) -> Figure:
    took, looked_into = [], 0
    for n in range(REPEATS):
        event_id = lake.rows.column("event_id")[(2 * n + 1) * lake.rows.num_rows // (2 * REPEATS)].as_py()
        seconds, out = commands.seconds(["-m", "driftloop.cli", "trace", event_id, "--stream", f"bench-{name}", "--json"])
        looked_into = json.loads(out)["links"][0]["details"]["files_looked_into"]
        took.append(seconds)
        around.say(f"{name}: {seconds:.2f} s")
    alone = statistics.median(commands.seconds(["-c", _ALONE], "\n".join(lake.keys))[0] for _ in range(REPEATS))
    return Figure(
        name=name,
        what=f"`driftloop trace` among {lake.rows.num_rows:,} predictions, every link hashed, median of {REPEATS} commands",
        value=statistics.median(took),
        unit="s",
        limit=Limit(
            f"a process with the same imports that fetches and hashes the same {lake.files} files ({lake.bytes / 1e6:.0f} MB)", alone
        ),
        aim=Aim(1.0, "at most"),
        note=f"all: {', '.join(f'{seconds:.2f}' for seconds in took)}; {looked_into} files looked into for the event",
    )
