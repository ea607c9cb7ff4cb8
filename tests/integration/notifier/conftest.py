"""A real broker and store, and notifiers over them: each test has a project of its own."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from tests.support.ports import free_port
from tests.support.receiver import Receiver
from tests.support.registered import register_command
from tests.support.sample_project import sample_project
from tests.support.traffic import small_schema
from tests.support.waiting import PATIENCE_SECONDS, wait_until

from driftloop.adapters.kafka import Producer, Publisher, create_topics
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.client.connections import Connections
from driftloop.contracts.events import Event, IncidentReported
from driftloop.contracts.topics import CONTROL_TOPICS, INCIDENTS, REGISTRY_LOG
from driftloop.contracts.values import Window
from driftloop.installation import Installation
from driftloop.local.s3 import S3Access
from driftloop.project.model import CONFIG_FILE, Project
from driftloop.project.reading import parse_project
from driftloop.settings import S3Settings

KEY = b"a key of sixteen bytes or more"
START = datetime(2026, 5, 1, 8, tzinfo=UTC)


class House:
    """One project with rules, and the notifier that works for it."""

    def __init__(self, bootstrap: str, s3: S3Access, home: Path, unique: str) -> None:
        self.bootstrap, self.s3, self.home, self.project = bootstrap, s3, home, f"p-{unique}"
        self.secrets = home / "secrets"
        self.secrets.mkdir()
        (self.secrets / "hooks").write_text(KEY.decode() + "\n")
        (home / "access").write_text(s3.access_key)
        (home / "secret").write_text(s3.secret_key)
        self._producer = Producer(bootstrap, client_id="test")
        self._publisher = Publisher(self._producer, source="driftloop/test")
        self.process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.log = home / "log"
        self.s3_settings = S3Settings(
            endpoint=s3.endpoint, bucket=s3.bucket, region=s3.region, access_key=s3.access_key, secret_key=s3.secret_key
        )
        notifier = {"notifier-0": f"http://127.0.0.1:{self.port}"}
        installed = Installation(
            home=home, kafka_bootstrap=bootstrap, s3=self.s3_settings, registry_url="http://127.0.0.1:9", services=notifier
        )
        self.to = Connections(self.s3_settings, installed)

    def register(self, rules: str) -> None:
        project = _with_rules(self.project, rules)
        command = register_command(project, MinioObjectStore(self.s3_settings), datetime.now(UTC), f"{self.project}-{project.digest()}")
        self.publish(REGISTRY_LOG, command, command.command_id)

    def publish(self, topic: str, event: Event, id: str, time: datetime | None = None) -> None:
        self._publisher.publish(topic, event, key=self.project, id=id, time=time)

    def incident(self, name: str, state: Any, *, severity: float = 0.4, windows: int = 2, time: datetime | None = None) -> None:
        event = IncidentReported(
            model=self.project,
            stream=self.project,
            incident=name,
            state=state,
            start=START,
            end=START + timedelta(hours=windows),
            windows=windows,
            columns={"distance": severity},
            severity=severity,
            version=1,
            window=Window(start=START, end=START + timedelta(hours=1)),
        )
        self.publish(INCIDENTS, event, f"{self.project}-{name}-{state}-{severity}", time)

    def start(self, **settings: str) -> None:
        """``settings``: of the notifier; those in lower case are variables of its process."""
        told = {
            "INSTANCE": "notifier-0",
            "KAFKA_BOOTSTRAP": self.bootstrap,
            "S3_ENDPOINT": self.s3.endpoint,
            "S3_BUCKET": self.s3.bucket,
            "S3_REGION": self.s3.region,
            "S3_ACCESS_KEY_FILE": str(self.home / "access"),
            "S3_SECRET_KEY_FILE": str(self.home / "secret"),
            "HTTP_PORT": str(self.port),
            "STATE_DIR": str(self.home),
            "SECRETS_DIR": str(self.secrets),
            "CONSOLE_URL": "http://console.example",
        }
        crash = {"DRIFTLOOP_CRASH_POINT": settings.pop("crash", "")}
        environment = os.environ | {f"DRIFTLOOP_NOTIFIER_{name}": value for name, value in (told | settings).items()} | crash
        with self.log.open("ab") as out:
            self.process = subprocess.Popen([sys.executable, "-m", "driftloop_notifier"], env=environment, stdout=out, stderr=out)

    def status(self) -> dict[str, Any]:
        """Empty while it does not answer."""
        assert self.process is not None
        assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.log.read_text()[-3000:]}"
        try:
            found: dict[str, Any] = httpx.get(f"http://127.0.0.1:{self.port}/status", timeout=PATIENCE_SECONDS).json()
        except httpx.TransportError:
            return {}
        return found

    def follows(self, rules: int) -> None:
        def known() -> bool:
            return sum(rule["project"] == self.project for rule in self.status().get("rules", [])) == rules

        wait_until(known, f"the notifier to follow {rules} rules, see {self.log}")

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def close(self) -> None:
        self.kill()
        self._producer.close()


class Mailbox:
    """A real SMTP server; ``letters``: what it took, as text."""

    def __init__(self) -> None:
        self.letters: list[str] = []
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:
        parts = message_from_bytes(envelope.content, policy=default).walk()
        self.letters.append("".join(part.get_content() for part in parts if part.get_content_type() == "text/plain"))
        return "250 taken"

    def close(self) -> None:
        self._controller.stop()


class StubService:
    """Answers as a service's health does: not ready at first."""

    def __init__(self) -> None:
        self.ready, self.gap = False, None
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                ready = stub.ready or self.path != "/readyz"
                body = json.dumps({"gap": stub.gap, "reason": "waits for a test"}).encode() if self.path != "/metrics" else b""
                self.send_response(200 if ready else 503)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _with_rules(name: str, rules: str) -> Project:
    plain = sample_project(small_schema(name))
    files = plain.files | {CONFIG_FILE: plain.files[CONFIG_FILE] + f"\n{rules}\n".encode()}
    return parse_project(files, where="test")


@pytest.fixture
def house(kafka_bootstrap: str, s3: S3Access, tmp_path: Path, unique: str) -> Iterator[House]:
    create_topics(kafka_bootstrap, CONTROL_TOPICS)
    made = House(kafka_bootstrap, s3, tmp_path, unique)
    yield made
    made.close()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    made = Mailbox()
    yield made
    made.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver(KEY)
    yield made
    made.close()
