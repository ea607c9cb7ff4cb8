"""The broker's ahead-of-time cache: made once by a training run, then every start takes well under two seconds."""

import os
import socket
import tempfile
from pathlib import Path

from driftloop.local.jars import ensure_jars, locked
from driftloop.local.java import aot_cache_path
from driftloop.local.kafka import KafkaServer
from driftloop.local.process import spawn, stop, wait_ready

READY_SECONDS = 300  # nothing is at hand yet, and the machine may be busy with an installation
WRITE_SECONDS = 120  # after the broker's end, Java writes the cache


def ensure_aot_cache(cache: Path) -> Path:
    """Path of the cache; runs a throw-away broker if there is none yet.

    Two at once are safe: the second waits for the first, and a cache appears whole or not at all.
    """
    target = aot_cache_path(cache, ensure_jars(cache))
    if target.exists():
        return target
    with locked(cache / "aot.lock"):
        if not target.exists():
            _train(cache, target)
    return target


def _train(cache: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        partial = Path(scratch) / "partial.aot"
        port, controller_port = _free_ports(2)
        broker = KafkaServer(Path(scratch), cache, port, controller_port)
        broker.prepare()
        spec = broker.spec(f"-XX:AOTCacheOutput={partial}")
        process = spawn(spec)
        try:
            wait_ready(process, spec, READY_SECONDS)
            stop(process, WRITE_SECONDS)
        except BaseException:
            stop(process, 0)
            raise
        if partial.exists():  # without one, starts are slow but work
            os.replace(partial, target)


def _free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
