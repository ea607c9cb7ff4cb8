"""CPU time of this process and of others, and rates from watching a service work a backlog off."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

WARM_SHARE = 0.1  # of the backlog, worked off before the clock starts: imports, first connections and caches are not the rate
PERIOD_SECONDS = 0.1
PATIENCE_SECONDS = 180.0


class BenchError(Exception):
    """A measurement gave no figure; the reason is for a person."""


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all its threads, as the kernel counts it (in steps of 10 ms on Linux)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        raise BenchError(f"the CPU time of process {pid} cannot be read: it has ended, or this system has no /proc") from None
    fields = stat.rpartition(")")[2].split()  # the name before may hold spaces
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Spent(NamedTuple):
    cpu: float
    wall: float


@contextmanager
def spending() -> Iterator[Callable[[], Spent]]:
    """Time spent by this process since the block began; after the block, in the block."""
    began = Spent(time.process_time(), time.monotonic())
    ended: list[Spent] = []

    def spent() -> Spent:
        end = ended[0] if ended else Spent(time.process_time(), time.monotonic())
        return Spent(end.cpu - began.cpu, end.wall - began.wall)

    yield spent
    ended.append(Spent(time.process_time(), time.monotonic()))


class Sample(NamedTuple):
    """How much of a backlog was done, and what the process had spent by then."""

    done: int
    cpu: float
    wall: float


class Rates(NamedTuple):
    per_cpu_second: float
    per_second: float


def rates(samples: Sequence[Sample]) -> Rates:
    """Between the first sample that is past the warm-up and the last. Raises BenchError when there is too little between them."""
    last = samples[-1]
    warm = next((sample for sample in samples if sample.done >= WARM_SHARE * last.done and sample.done > 0), last)
    if warm.done == last.done or warm.cpu >= last.cpu:
        raise BenchError(f"the whole backlog of {last.done} was done between two looks: take a larger one")
    done = last.done - warm.done
    return Rates(done / (last.cpu - warm.cpu), done / (last.wall - warm.wall))


def watch(pid: int, done: Callable[[], int], total: int) -> list[Sample]:
    """Look at a process until it has done it all. Raises BenchError when that takes too long or it ends."""
    samples: list[Sample] = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not samples or samples[-1].done < total:
        if time.monotonic() > deadline:
            raise BenchError(f"only {samples[-1].done} of {total} done after {PATIENCE_SECONDS:.0f} s")
        time.sleep(PERIOD_SECONDS)
        samples.append(Sample(done(), cpu_seconds(pid), time.monotonic()))
    return samples


def repeated(work: Callable[[], object], units: int, seconds: float = 3.0) -> float:
    """Units of work per CPU second of this process, doing it again until ``seconds`` of CPU are spent; once beforehand, uncounted."""
    work()
    times = 0
    with spending() as spent:
        while spent().cpu < seconds:
            work()
            times += 1
        return units * times / spent().cpu
