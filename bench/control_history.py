"""A start of the readers of control topics after many events, beside a start after a tenth of them: time and memory."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

from bench.clocks import BenchError
from bench.control_events import EVENTS_PER_WINDOW, MODEL, Told, commands, windows
from bench.figures import Aim, Figure, Limit
from bench.surroundings import Surroundings
from driftloop.contracts.codec import encode_event, envelope

FEW, MANY = 10_000, 100_000
READERS = ("monitor", "trainer", "registry")
REPEATS = 3  # of a start from the checkpoint; the quickest counts
PATIENCE_SECONDS = 900.0


class Start(NamedTuple):
    """Seconds until everything is folded, and the process's memory in MiB without and with it."""

    seconds: float
    cpu: float
    before_mib: float
    after_mib: float


class Measured(NamedTuple):
    """A start without a checkpoint, which folds everything, and one from the checkpoint that it left."""

    whole: Start
    restored: Start


def measure(around: Surroundings) -> list[Figure]:
    """On a broker of its own: other measurements' readers would fold all this as well."""
    with closing(Surroundings(around.say)) as own:
        few = _after(own, 0, FEW)
        many = _after(own, FEW, MANY)
    return [figure for reader in READERS for figure in _figures(reader, few[reader], many[reader])]


def _after(own: Surroundings, told: int, count: int) -> dict[str, Measured]:
    """Publish events and commands number ``told`` to ``count``, then start each reader."""
    own.addresses  # noqa: B018 - started before what it takes is said
    own.say(f"telling {count - told:,} events and as many commands")
    _tell(own, windows(told // EVENTS_PER_WINDOW, count // EVENTS_PER_WINDOW))
    _tell(own, commands(told, count))
    return {reader: _measured(own, reader, count) for reader in READERS}


def _tell(around: Surroundings, told: Iterator[Told]) -> None:
    """Publish, and return once the broker holds them all."""
    with around.producer() as producer:
        for topic, event, event_id, time in told:
            value, headers = encode_event(event, envelope(event, id=event_id, source="driftloop/bench", subject=MODEL, time=time))
            producer.send(topic, value, key=MODEL.encode(), headers=headers)
        producer.flush()


def _measured(own: Surroundings, reader: str, count: int) -> Measured:
    own.say(f"starting the {reader}'s reader after {count:,} events")
    folder = own.folder / f"{reader}-{count}"
    whole = _start(own, reader, folder)
    return Measured(whole, min(_start(own, reader, folder) for _ in range(REPEATS)))


def _start(own: Surroundings, reader: str, folder: object) -> Start:
    command = [sys.executable, "-m", "bench.control_start", reader, own.addresses.kafka_bootstrap, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
    if done.returncode:
        raise BenchError(f"the {reader}'s reader did not start: {done.stderr[-2000:]}")
    return Start(**json.loads(done.stdout))


def _figures(reader: str, few: Measured, many: Measured) -> list[Figure]:
    bounded = reader != "registry"
    what = "commands" if reader == "registry" else "control events"
    return [
        Figure(
            name=f"control-history-{reader}",
            what=f"the {reader}'s reader, from its first connection until it is up to date, after {MANY:,} {what}, from its checkpoint",
            value=many.restored.seconds,
            unit="s",
            limit=Limit(f"the same after {FEW:,}", few.restored.seconds),
            aim=Aim(2.0, "at most", "ratio") if bounded else None,
            note=f"of CPU {many.restored.cpu:.2f} s and {few.restored.cpu:.2f} s; without a checkpoint all is folded: "
            f"{many.whole.seconds:.1f} s ({many.whole.cpu:.1f} s of CPU) and {few.whole.seconds:.1f} s ({few.whole.cpu:.1f} s)",
        ),
        Figure(
            name=f"control-history-{reader}-memory",
            what="the process's memory after that start",
            value=many.restored.after_mib,
            unit="MiB",
            limit=Limit(f"the same after {FEW:,}", few.restored.after_mib),
            aim=Aim(1.25, "at most", "ratio") if bounded else None,
            note=f"before it began to read: {many.restored.before_mib:.0f} MiB; after folding everything: {many.whole.after_mib:.0f} MiB"
            + ("" if bounded else "; the registry's state names every command of its log"),
        ),
    ]
