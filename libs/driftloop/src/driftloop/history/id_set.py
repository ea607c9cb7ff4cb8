"""A set of ids that is small: 16 bytes an id, in memory and stored."""

import hashlib
from bisect import bisect_left

WIDTH = 16  # bytes of a digest: two of a thousand million ids are alike once in 10^20 sets
RECENT = 4096


class IdSet:
    """Only grows. Digests are kept sorted in one run of bytes; those that were added last wait in a set until they are many."""

    def __init__(self, stored: bytes = b"") -> None:
        """``stored``: what ``stored()`` gave. Raises ValueError when it is not that."""
        if len(stored) % WIDTH:
            raise ValueError(f"{len(stored)} bytes are no set of ids")
        self._sorted, self._recent = stored, set[bytes]()

    def add(self, id: str) -> bool:
        """Whether it is new."""
        digest = _digest(id)
        if digest in self._recent or self._holds(digest):
            return False
        self._recent.add(digest)
        if len(self._recent) > RECENT + len(self) // 8:  # a share: each digest is moved a bounded number of times
            self._sorted, self._recent = self.stored(), set()
        return True

    def __contains__(self, id: str) -> bool:
        digest = _digest(id)
        return digest in self._recent or self._holds(digest)

    def __len__(self) -> int:
        return len(self._sorted) // WIDTH + len(self._recent)

    def stored(self) -> bytes:
        """The same for the same ids, whatever the order in which they came."""
        return b"".join(sorted([*map(self._at, range(len(self._sorted) // WIDTH)), *self._recent]))

    def _holds(self, digest: bytes) -> bool:
        n = len(self._sorted) // WIDTH
        found = bisect_left(range(n), digest, key=self._at)
        return found < n and self._at(found) == digest

    def _at(self, n: int) -> bytes:
        return self._sorted[n * WIDTH : (n + 1) * WIDTH]


def _digest(id: str) -> bytes:
    return hashlib.blake2b(id.encode("utf-8", "surrogatepass"), digest_size=WIDTH).digest()
