"""How a table's values lie in its changelog, so that a batch of them is there as a whole or not at all, whoever else may write.

Every writer has keys of its own, ``@<generation>.<name>/…``, and the newest one with a commit record is read: a worker that was
paused and wakes up writes where nobody looks any more. Each value has two places, and a batch writes the one that is not in
force; a batch counts from its commit record on, which is written last. Values without such a prefix are of an earlier release.
"""

import re
import struct
from collections.abc import Iterable, Mapping
from typing import NamedTuple

COMMIT = b"="
_PLACES = (b"a", b"b")
_KEY = re.compile(rb"@(\d+)\.([0-9a-f]+)/(.)(.*)", re.DOTALL)
_COMMIT = struct.Struct(">QQ")  # batch, next source offset
_HEAD = struct.Struct(">Q?")  # batch, whether the value is there
HEAD_BYTES = _HEAD.size


class Written(NamedTuple):
    """What the newest writer has committed. ``all_keys``: of it and of all others, as they are stored."""

    generation: int
    values: dict[bytes, bytes]
    all_keys: frozenset[bytes]


def read(stored: Mapping[bytes, bytes]) -> Written:
    """``stored``: what one partition of the table holds."""
    by_writer: dict[tuple[int, bytes], dict[bytes, list[bytes]]] = {}
    commits: dict[tuple[int, bytes], tuple[int, int]] = {}
    former: dict[bytes, bytes] = {}
    highest = 0
    for key, value in stored.items():
        found = _KEY.fullmatch(key)
        if found is None:
            former[key] = value
            continue
        writer = int(found[1]), found[2]
        highest = max(highest, writer[0])
        if found[3] == COMMIT:
            commits[writer] = _COMMIT.unpack(value)
        else:
            by_writer.setdefault(writer, {}).setdefault(found[4], []).append(value)
    if not commits:
        return Written(highest, former, frozenset(stored))
    # Two of one generation have both gone on from the same values: either is right, the farther one saves work.
    newest = max(commits, key=lambda writer: (writer[0], commits[writer][1]))
    batch = commits[newest][0]
    in_force = {key: _in_force(places, batch) for key, places in by_writer.get(newest, {}).items()}
    return Written(highest, {key: value for key, value in in_force.items() if value is not None}, frozenset(stored))


def _in_force(places: Iterable[bytes], committed: int) -> bytes | None:
    heads = [(*_HEAD.unpack_from(value), value) for value in places]
    counting = [head for head in heads if head[0] <= committed]
    if not counting:
        return None
    _, there, value = max(counting, key=lambda head: head[0])
    return value[HEAD_BYTES:] if there else None


class Batch(NamedTuple):
    """What to send: ``values`` in any order, then ``commit``, then deletions: ``others`` in any order, ``own`` in this one."""

    values: dict[bytes, bytes]
    commit: tuple[bytes, bytes]
    others: list[bytes]
    own: list[bytes]


class Writer:
    """Makes the batches of one writer, the first of which holds everything."""

    def __init__(self, found: Written, name: str) -> None:
        self._prefix = b"@%d.%s/" % (found.generation + 1, name.encode())
        self._before: Written | None = found
        self._batch = 0
        self._place: dict[bytes, int] = {}

    def batch(self, changes: Mapping[bytes, bytes | None], next_offset: int) -> Batch:
        self._batch += 1
        others, own = list[bytes](), list[bytes]()
        if self._before is not None:
            changes = {**self._before.values, **changes}
            others = sorted(self._before.all_keys)
            self._before = None
        values: dict[bytes, bytes] = {}
        for key, value in changes.items():
            before = self._place.get(key)
            if value is None and before is None:
                continue
            place = 0 if before is None else 1 - before
            values[self._at(place, key)] = _HEAD.pack(self._batch, value is not None) + (value or b"")
            if value is None:
                own += [self._at(1 - place, key), self._at(place, key)]  # the value before what says that it is deleted
                del self._place[key]
            else:
                self._place[key] = place
        return Batch(values, (self._prefix + COMMIT, _COMMIT.pack(self._batch, next_offset)), others, own)

    def _at(self, place: int, key: bytes) -> bytes:
        return self._prefix + _PLACES[place] + key
