"""Which commands were refused, for ever, in a few bytes each: a refused command that comes again is refused again."""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

_ID, _ASKS, _OFFSET = 16, 8, 8  # bytes
_SIZE = _ID + _ASKS + _OFFSET


class Refusal(NamedTuple):
    """A refused command: the digest of what it asked for, cut short, and the offset of its record."""

    asks: bytes
    offset: int


class RefusedIds:
    """An immutable set of refused commands, 32 bytes each. ``added`` costs O(log n) on average.

    Kept as sorted runs of falling length, as ``PersistentMap`` keeps its layers. ``chain`` names the whole sequence: two sets with
    the same chain were made of the same refusals in the same order.
    """

    __slots__ = ("_runs", "chain")

    def __init__(self, _runs: tuple[bytes, ...] = (), chain: str = "") -> None:
        self._runs, self.chain = _runs, chain

    @staticmethod
    def of(stored: bytes, chain: str) -> "RefusedIds":
        """What ``stored`` gave, with its chain. Raises ValueError when the bytes are no such set."""
        if len(stored) % _SIZE or bool(stored) != bool(chain):
            raise ValueError(f"{len(stored)} bytes are no set of refused commands")
        return RefusedIds((stored,) if stored else (), chain)

    def stored(self) -> bytes:
        """All of it in one run."""
        return b"".join(sorted(record for run in self._runs for record in _records(run)))

    def added(self, command_id: str, asks: bytes, offset: int) -> "RefusedIds":
        """This set and one more command. ``asks`` is a digest of what it asks for; its first eight bytes count."""
        new = _short(command_id) + asks[:_ASKS] + offset.to_bytes(_OFFSET, "big")
        chain = hashlib.sha256(bytes.fromhex(self.chain) + new).hexdigest()
        runs = self._runs
        while runs and len(runs[-1]) <= len(new):
            new = b"".join(sorted((*_records(runs[-1]), *_records(new))))
            runs = runs[:-1]
        return RefusedIds((*runs, new), chain)

    def offset_of(self, command_id: str, asks: bytes) -> int | None:
        """Where this very command was refused first; None: never."""
        return min((found.offset for found in self._with_id(command_id) if found.asks == asks[:_ASKS]), default=None)

    def first_of(self, command_id: str) -> int | None:
        """Where any command with this id was refused first; None: never."""
        return min((found.offset for found in self._with_id(command_id)), default=None)

    def _with_id(self, command_id: str) -> Iterator[Refusal]:
        short = _short(command_id) if self._runs else b""
        for run in self._runs:
            at = _first_at_least(run, short)
            while run[at : at + _ID] == short:
                yield Refusal(run[at + _ID : at + _ID + _ASKS], int.from_bytes(run[at + _ID + _ASKS : at + _SIZE], "big"))
                at += _SIZE

    def __len__(self) -> int:
        return sum(map(len, self._runs)) // _SIZE

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RefusedIds) and self.chain == other.chain

    def __hash__(self) -> int:
        return hash(self.chain)

    def __repr__(self) -> str:
        return f"RefusedIds({len(self)} commands, chain {self.chain[:12]})"


def _short(command_id: str) -> bytes:
    return hashlib.sha256(command_id.encode("utf-8", "surrogatepass")).digest()[:_ID]


def _records(run: bytes) -> Iterator[bytes]:
    return (run[at : at + _SIZE] for at in range(0, len(run), _SIZE))


def _first_at_least(run: bytes, short: bytes) -> int:
    """Where the first record begins whose id is not below ``short``."""
    low, high = 0, len(run) // _SIZE
    while low < high:
        middle = (low + high) // 2
        if run[middle * _SIZE : middle * _SIZE + _ID] < short:
            low = middle + 1
        else:
            high = middle
    return low * _SIZE
