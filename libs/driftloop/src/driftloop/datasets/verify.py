"""Hash again what a snapshot names, and say which file is not what was pinned."""

from collections.abc import Callable
from typing import Literal

from driftloop.contracts.names import Digest
from driftloop.contracts.values import Part, StreamName
from driftloop.errors import IntegrityError, ObjectNotFound
from driftloop.lake.manifests import snapshot_key
from driftloop.lake.parquet import in_parallel
from driftloop.lake.snapshot import PinnedFile, load_snapshot
from driftloop.ports import ObjectStore
from driftloop.stored import sha256_of


class Problem(Part, frozen=True, kw_only=True):
    """One object that is not the one that was named. ``found`` is null when it is missing."""

    key: str
    problem: Literal["missing", "size", "sha256", "manifest"]
    expected: str
    found: str | None

    def __str__(self) -> str:
        if self.problem == "manifest":
            return self.expected
        if self.found is None:
            return f"{self.key} is missing"
        return f"{self.key}: its {self.problem} is {self.found}, pinned was {self.expected}"


class Verified(Part, frozen=True, kw_only=True):
    """What was hashed of one snapshot, and what is wrong with it."""

    stream: StreamName
    digest: Digest
    files: int
    bytes: int
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


class Verifier:
    """Hashes every object once, however many snapshots name it. ``on_file`` is called for each file, from several threads."""

    def __init__(self, store: ObjectStore, on_file: Callable[[str], None] = lambda key: None) -> None:
        self._store, self._on_file = store, on_file
        self._seen: dict[str, tuple[int, str] | None] = {}

    def verify(self, stream: str, digest: str) -> Verified:
        """Raises TransientError; ObjectNotFound when there is no such snapshot."""
        try:
            snapshot = load_snapshot(self._store, stream, digest)
        except IntegrityError as exc:
            problem = Problem(key=snapshot_key(stream, digest), problem="manifest", expected=str(exc), found=None)
            return Verified(stream=stream, digest=digest, files=0, bytes=0, problems=(problem,))
        problems = in_parallel(lambda file: self._problem(f"lake/{stream}/{file.table}/{file.path}", file), snapshot.files)
        return Verified(
            stream=stream,
            digest=digest,
            files=len(snapshot.files),
            bytes=sum(file.size for file in snapshot.files),
            problems=tuple(p for p in problems if p is not None),
        )

    def _problem(self, key: str, file: PinnedFile) -> Problem | None:
        found = self._hashed(key)
        self._on_file(key)
        if found is None:
            return Problem(key=key, problem="missing", expected=file.sha256, found=None)
        size, sha256 = found
        if size != file.size:
            return Problem(key=key, problem="size", expected=str(file.size), found=str(size))
        if sha256 != file.sha256:
            return Problem(key=key, problem="sha256", expected=file.sha256, found=sha256)
        return None

    def _hashed(self, key: str) -> tuple[int, str] | None:
        if key not in self._seen:
            try:
                data = self._store.get(key)
            except ObjectNotFound:
                self._seen[key] = None
            else:
                self._seen[key] = len(data), sha256_of(data)
        return self._seen[key]
