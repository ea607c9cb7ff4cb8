"""Which process is hit when, and how: drawn from a seed. Pure."""

import random
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, get_args

Kind = Literal["kill", "pause"]
KINDS: tuple[Kind, ...] = get_args(Kind)

INTERVAL_SECONDS = 5.0  # between two faults, on average, when there is time for more than one round
SHORT_PAUSE_SECONDS = (1.0, 4.0)  # nobody notices
# Past the session timeout of 10 s: a peer takes over before the paused one wakes up. Long runs also pause past the producers'
# delivery timeout of 60 s.
LONG_PAUSE_SECONDS = 12.0
LONGEST_PAUSE_SECONDS = 75.0
LONG_SHARE = 1 / 3


class Fault(NamedTuple):
    """``at``: seconds after the traffic began; ``seconds``: of a pause."""

    at: float
    target: str
    kind: Kind
    seconds: float = 0.0

    def __str__(self) -> str:
        what = "kill -9" if self.kind == "kill" else f"pause {self.seconds:.1f} s"
        return f"{self.at:6.1f} s  {self.target:<12} {what}"


def schedule(seed: int, seconds: float, targets: Sequence[str]) -> list[Fault]:
    """Faults within ``seconds``, in order of time: each target is killed once and paused once before any is hit in that way again.

    The same seed, duration and targets give the same faults. Pauses may last beyond the end, by at most their length.
    """
    if not targets:
        return []
    rng = random.Random(f"faults {seed}")
    n = max(len(targets) * len(KINDS), int(seconds / INTERVAL_SECONDS))
    step, rounds = seconds / n, _rounds(rng, targets)
    longest = min(LONGEST_PAUSE_SECONDS, max(LONG_PAUSE_SECONDS + 3.0, seconds / 8))
    found = []
    for i in range(n):
        target, kind = next(rounds)
        found.append(Fault((i + rng.random()) * step, target, kind, _pause(rng, longest) if kind == "pause" else 0.0))
    return found


def _rounds(rng: random.Random, targets: Sequence[str]) -> Iterator[tuple[str, Kind]]:
    while True:
        pairs = [(target, kind) for target in targets for kind in KINDS]
        rng.shuffle(pairs)
        yield from pairs


def _pause(rng: random.Random, longest: float) -> float:
    low, high = (LONG_PAUSE_SECONDS, longest) if rng.random() < LONG_SHARE else SHORT_PAUSE_SECONDS
    return rng.uniform(low, high)
