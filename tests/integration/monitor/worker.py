"""One process of a service, to be started, watched and killed."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_SECONDS, wait_until

from driftloop.local.s3 import S3Access


class Worker:
    """One process of the service that its instance is called after; its log is in the folder."""

    def __init__(self, instance: str, variables: dict[str, str], *, bootstrap: str, access: S3Access, folder: Path, project: str) -> None:
        self.instance, self.port = instance, free_port()
        self.log = folder / f"{instance}.log"
        service = instance.partition("-")[0]
        prefix = f"DRIFTLOOP_{service.upper()}_"
        environment = {k: v for k, v in os.environ.items() if not k.startswith(prefix)}
        for name, secret in (("ACCESS", access.access_key), ("SECRET", access.secret_key)):
            path = folder / name
            path.write_text(secret)
            environment[f"{prefix}S3_{name}_KEY_FILE"] = str(path)
        settings = {
            "INSTANCE": instance,
            "KAFKA_BOOTSTRAP": bootstrap,
            "S3_ENDPOINT": access.endpoint,
            "S3_BUCKET": access.bucket,
            "S3_REGION": access.region,
            "HTTP_PORT": str(self.port),
            "STATE_DIR": str(folder / "state"),
            "PROJECT": project,
            "SESSION_TIMEOUT_SECONDS": "6",
        }
        environment |= {f"{prefix}{k}": v for k, v in settings.items()} | variables
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", f"driftloop_{service}"], env=environment, stderr=log, stdout=log)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)

    def status(self) -> dict[str, Any]:
        """Empty while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/status", timeout=2) as answer:
                return dict(json.loads(answer.read()))
        except OSError:
            return {}

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def in_flight(self) -> int:
        """Messages folded in memory and not yet covered by its table."""
        status = self.status()
        return sum(status.get("partitions", {}).values()) - sum(status.get("durable", {}).values())

    def wait_for_work(self) -> None:
        """Until it has something to lose."""
        wait_until(lambda: self.alive() and self.in_flight() > 0, f"{self.instance} to have work in flight; see its log")

    def tail(self) -> str:
        return self.log.read_text()[-3000:]

    def alive(self) -> bool:
        assert self.process.poll() is None, f"{self.instance} ended with {self.process.returncode}:\n{self.tail()}"
        return True
