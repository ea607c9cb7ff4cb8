"""`driftloop status` shows whether a predictor scores with what its champion was fitted with."""

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from driftloop.cli.stack.status import show_status
from driftloop.client.service_status import service_statuses
from driftloop.client.status import Status
from driftloop.installation import Installation
from driftloop.settings import S3Settings

DIFFERS = [{"what": "package numpy", "recorded": "2.3.4", "now": "2.3.5"}]


@pytest.fixture
def said() -> dict[str, object]:
    return {"environment": None}


@pytest.fixture
def stack(said: dict[str, object]) -> Iterator[Installation]:
    class Predictor(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"ready": True, **said}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Predictor) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        s3 = S3Settings(endpoint="http://127.0.0.1:1", bucket="b", region="r", access_key="a", secret_key="s")
        url = f"http://127.0.0.1:{server.server_address[1]}"
        yield Installation(Path("/"), "127.0.0.1:1", s3, url, {"predictor-0": url, "ingest-0": url})
        server.shutdown()


def shown(stack: Installation) -> str:
    console = Console(file=io.StringIO(), width=160)
    show_status(console, msgspec.to_builtins(Status(services=service_statuses(stack.services), models=(), lag=())))
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        (None, "–"),
        ({"same": True, "setting": "warn", "differences": []}, "as trained"),
        ({"same": False, "setting": "warn", "differences": DIFFERS}, "differs: package numpy 2.3.4 → 2.3.5"),
        ({"same": False, "setting": "refuse", "differences": DIFFERS}, "refused: package numpy 2.3.4 → 2.3.5"),
    ],
)
def test_the_environment_of_a_predictor_is_in_its_line(stack: Installation, said: dict[str, object], environment, text) -> None:
    said["environment"] = environment
    line = next(line for line in shown(stack).splitlines() if "predictor-0" in line)
    assert text in line
    assert "environment" not in next(s for s in msgspec.to_builtins(service_statuses(stack.services)) if s["instance"] == "ingest-0")
