"""The broker's jars: fetched with jgo, checked against pinned sha256, kept in the shared cache."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from driftloop.local.errors import LocalStackError

DOWNLOAD_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Jar:
    """One pinned file of the class path."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def coordinate(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def filename(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def pinned_jars() -> list[Jar]:
    """Every jar of the broker, in class path order.

    The whole closure is listed because jgo's own resolution picks a wrong kafka-clients.
    """
    lines = files("driftloop.local").joinpath("kafka_jars.txt").read_text().splitlines()
    return [_parse(line) for line in lines if line and not line.startswith("#")]


def ensure_jars(cache: Path) -> list[Path]:
    """Paths of all jars; downloads what is missing. A file in the cache has been checked."""
    folder = cache / "jars"
    jars = pinned_jars()
    paths = [folder / jar.filename for jar in jars]
    if all(path.exists() for path in paths):
        return paths
    folder.mkdir(parents=True, exist_ok=True)
    with locked(cache / "jars.lock"), tempfile.TemporaryDirectory(dir=cache) as scratch:
        missing = [jar for jar, path in zip(jars, paths, strict=True) if not path.exists()]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda jar: _fetch(jar, folder, Path(scratch)), missing))
    return paths


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes while the block runs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _parse(line: str) -> Jar:
    coordinate, sha256 = line.split()
    group, artifact, version = coordinate.split(":")
    return Jar(group, artifact, version, sha256)


def _fetch(jar: Jar, folder: Path, scratch: Path) -> None:
    downloaded = _download(jar, scratch)
    partial = scratch / jar.filename
    shutil.copyfile(downloaded, partial)
    actual = hashlib.sha256(partial.read_bytes()).hexdigest()
    if actual != jar.sha256:
        raise LocalStackError(f"{jar.coordinate} has sha256 {actual}, expected {jar.sha256}: the download is not the pinned file")
    os.replace(partial, folder / jar.filename)


def _download(jar: Jar, scratch: Path) -> Path:
    # imported here: slow, and not needed once the jars are cached
    import requests
    from jgo.config import GlobalSettings
    from jgo.maven import MavenContext
    from jgo.maven._core import DEFAULT_REMOTE_REPOS

    context = MavenContext(
        repo_cache=scratch / "maven",
        remote_repos={**DEFAULT_REMOTE_REPOS, **GlobalSettings.load().repositories},
        timeout=DOWNLOAD_TIMEOUT_SECONDS,
    )
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    try:
        return Path(artifact.resolve())
    except (requests.RequestException, RuntimeError, OSError) as exc:
        reason = type(exc).__name__
        raise LocalStackError(f"cannot download {jar.coordinate} ({reason}): check the network and proxy settings, then try again") from exc
