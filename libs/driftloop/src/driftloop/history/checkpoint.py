"""What a reader has folded, kept on disk with the place in the log that it stands for. It may be lost: it is made of the log."""

import hashlib
import os
from functools import cache
from pathlib import Path

import msgspec

from driftloop.code_version import sources_digest
from driftloop.contracts.typed import prepared
from driftloop.crashpoints import crash_point
from driftloop.telemetry import get_logger

FORMAT = 1
DIGEST_BYTES = 32

log = get_logger(__name__)


class FoldedState(msgspec.Struct, frozen=True, kw_only=True):
    """A state, the ids of the topics that it was folded from, and by topic the next offset of each partition."""

    topics: dict[str, str]
    next_offsets: dict[str, dict[int, int]]
    state: bytes


class _File(msgspec.Struct, frozen=True, kw_only=True):
    format: int
    code: str
    folded: FoldedState


class Checkpoint:
    """One file. Whole or not there, whenever the process is killed; believed only if it is what this code wrote."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> FoldedState | None:
        """None without a readable one; why is in the log."""
        try:
            return self._verified()
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as exc:
            log.warning("checkpoint-discarded", path=str(self._path), reason=str(exc))
            return None

    def store(self, folded: FoldedState) -> int:
        """How many bytes it takes. Raises OSError."""
        content = msgspec.msgpack.encode(_File(format=FORMAT, code=_code(), folded=folded))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_name(f".{self._path.name}.partial")
        with partial.open("wb") as file:
            file.write(hashlib.sha256(content).digest() + content)
            file.flush()
            os.fsync(file.fileno())
        crash_point("checkpoint.before-replace")
        os.replace(partial, self._path)
        return DIGEST_BYTES + len(content)

    def _verified(self) -> FoldedState:
        data = self._path.read_bytes()
        digest, content = data[:DIGEST_BYTES], memoryview(data)[DIGEST_BYTES:]
        if hashlib.sha256(content).digest() != digest:
            raise ValueError("its bytes are not those that were written")
        file = msgspec.msgpack.decode(content, type=prepared(_File))
        if file.format != FORMAT or file.code != _code():
            raise ValueError("another version of driftloop wrote it, which may have folded in another way")
        return file.folded


@cache
def _code() -> str:
    """Of the library's sources: a fold that was changed folds from the beginning once."""
    return sources_digest(Path(__file__).parents[1])
