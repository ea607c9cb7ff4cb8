"""A picture of the console for the README: ``python -m bench.console_picture FILE [PAGE] [URL]``.

Without a URL of a console that runs, of a record that is made up. Needs Debian's chromium, and playwright to drive it.
"""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

from bench.clocks import BenchError
from bench.console_events import loop
from driftloop.registry.state import RegistryState
from driftloop.service.http_server import HttpServer
from driftloop_console.app import create_app
from driftloop_console.asking import Questions
from driftloop_console.desk import Desk
from driftloop_console.freshness import Freshness
from driftloop_console.policies import Policies
from driftloop_console.record import ConsoleFold
from driftloop_console.rounds import Rounds
from driftloop_console.streams import Streams

SIZE = {"width": 1180, "height": 760}


class _AtTheEnd:
    caught_up = True

    def sync(self, timeout_seconds: float = 0) -> None:
        pass


@contextmanager
def made_up() -> Iterator[str]:
    record = ConsoleFold()
    for event, about in loop(400, 24, 6):
        record.add(event, about)
    freshness = Freshness(_AtTheEnd(), _AtTheEnd())
    freshness.look()
    ask = Questions()
    desk = Desk(record, RegistryState, freshness, ask, lambda _: {}, Rounds(""), Policies(ask), Streams())
    server = HttpServer(create_app(desk), "127.0.0.1", 0, setting="port").start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()


def take(url: str, page: str, file: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        raise BenchError("chromium is not on the PATH: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page(viewport=SIZE, device_scale_factor=1)
        tab.goto(url + page)
        tab.wait_for_load_state("networkidle")
        tab.wait_for_timeout(500)
        tab.screenshot(path=file)
        browser.close()


if __name__ == "__main__":
    file, page, url = (*sys.argv[1:], *("docs/console.png", "/drift", "")[len(sys.argv) - 1 :])
    if url:
        take(url, page, Path(file))
    else:
        with made_up() as address:
            take(address, page, Path(file))
