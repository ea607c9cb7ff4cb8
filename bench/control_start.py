"""``python -m bench.control_start READER BOOTSTRAP FOLDER``: one start of a service's reader, alone in a process.

Prints JSON: seconds from the first connection until all that the topics hold is folded, CPU seconds of the process in that
time, and its memory before and after.
"""

import json
import sys
from pathlib import Path

from bench.clocks import spending
from bench.control_events import MODEL
from driftloop.adapters.kafka import KafkaTopics
from driftloop.history.registry_follower import RegistryFollower
from driftloop_monitor.history import model_history
from driftloop_trainer.history import requests_and_runs

PATIENCE_SECONDS = 600.0


def start(reader: str, bootstrap: str, folder: Path) -> None:
    """As the service does it."""
    topics = KafkaTopics(bootstrap, client_id=f"bench-{reader}")
    if reader == "monitor":
        _, follower = model_history(topics, MODEL, folder)
        follower.start().sync(PATIENCE_SECONDS)
        follower.stop()
    elif reader == "trainer":
        _, log_reader = requests_and_runs(topics, folder)
        log_reader.sync(PATIENCE_SECONDS)
        log_reader.close()
    else:
        registry = RegistryFollower(topics, checkpoint=folder / "registry.checkpoint").start(PATIENCE_SECONDS)
        assert registry.caught_up
        registry.stop()


def resident_mib() -> float:
    """Of this process, now."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1]) / 1024


if __name__ == "__main__":
    before = resident_mib()
    with spending() as spent:
        start(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    print(json.dumps({"seconds": spent().wall, "cpu": spent().cpu, "before_mib": before, "after_mib": resident_mib()}))
