"""The scribe of ``tests/support/scribe`` as a package of its own, and as a process."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
from tests.support.waiting import PATIENCE_SECONDS

SOURCE = Path(__file__).parent / "scribe"
HIDDEN = ("minio", "uvicorn", "starlette", "pyarrow", "faust")  # it has no use for them, so its image would not carry them


def write_package(folder: Path, name: str) -> Path:
    """``folder/driftloop_<name>``, the scribe under another name, so that no other test is in its group."""
    package = folder / f"driftloop_{name}"
    package.mkdir(parents=True)
    for source in SOURCE.glob("*.py"):
        (package / source.name).write_text(source.read_text().replace('"scribe"', f'"{name}"'))
    return package


class Scribe:
    """One process of it at a time, in a folder that outlives it."""

    def __init__(self, folder: Path, name: str, bootstrap: str, **settings: str) -> None:
        self._name, self.log, self._notes = name, folder / "log", folder / "state" / "notes"
        write_package(folder / "src", name)
        for hidden in HIDDEN:
            (folder / "src" / hidden).mkdir()
            (folder / "src" / hidden / "__init__.py").write_text(f"raise ImportError('no {hidden} in this image')")
        (folder / "state").mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        told = {"KAFKA_BOOTSTRAP": bootstrap, "HTTP_PORT": str(port), "STATE_DIR": str(folder / "state"), **settings}
        self._env = {f"DRIFTLOOP_{name.upper()}_{setting}": value for setting, value in told.items()}
        self._env["PYTHONPATH"] = str(folder / "src")
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **environment: str) -> None:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", f"driftloop_{self._name}"]
            self.process = subprocess.Popen(command, env=os.environ | self._env | environment, stdout=log, stderr=log)

    def answers(self, path: str) -> tuple[int, dict[str, Any]]:
        """Code and content; 0 while nothing is listening."""
        assert self.process is not None
        assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.log.read_text()[-3000:]}"
        try:
            answer = self.http.get(path)
        except httpx.TransportError:
            return 0, {}
        return answer.status_code, answer.json()

    def ready(self) -> bool:
        return self.answers("/readyz")[0] == 200

    def notes(self) -> list[str]:
        """Ids of the decisions that were noted down, in order."""
        return [line.split()[0] for line in self._notes.read_text().splitlines()] if self._notes.exists() else []

    def terminate(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)

    def wait(self, seconds: float = 60) -> int:
        assert self.process is not None
        return self.process.wait(seconds)

    def close(self) -> None:
        self.http.close()
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
