"""Each page in a real browser: it loads, draws, asks nobody else, complains of nothing, and has no barrier that axe knows of."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.console.conftest import EVIL, Console
from tests.support.waiting import PATIENCE_SECONDS, wait_until

REQUIRED = "DRIFTLOOP_REQUIRE_BROWSER"  # where there is a browser, its tests must run
AXE = Path(__file__).parents[2] / "support" / "axe" / "axe.min.js"
PATHS = (
    *("/", "/?all=1", "/what-if?threshold=150", "/now", "/performance", "/drift", "/feature?feature=f0"),
    *("/models", "/version?version=2", "/compare?a=1&b=2", "/prediction", "/nothing"),
    *("/data", "/data-diff", "/quarantine", "/rejected?id=0:0", "/redrive?because=not%20UTF-8"),
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium")
    if chromium is None:
        assert not os.environ.get(REQUIRED), "chromium is not on the PATH: apt-get install chromium"
        pytest.skip("chromium is not on the PATH")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])  # of our own pages alone; a container's root
        yield running
        running.close()


class Tab:
    """A page of the browser, with what it asked for and complained of."""

    def __init__(self, browser: Any, url: str, **context: Any) -> None:
        self.url, self.asked, self.complaints = url, list[str](), list[str]()
        self.page = browser.new_context(**context).new_page()
        self.page.set_default_timeout(1000 * PATIENCE_SECONDS)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None)

    def open(self, path: str, model: str) -> None:
        self.page.goto(f"{self.url}{path}{'&' if '?' in path else '?'}model={model}")
        self.page.wait_for_load_state("load" if path == "/now" else "networkidle")  # which *Now* never is: it is kept up to date

    def barriers(self) -> list[tuple[str, str]]:
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate("axe.run({resultTypes: ['violations']})")
        return [(each["id"], each["nodes"][0]["html"][:200]) for each in found["violations"]]


@pytest.mark.parametrize(
    "context",
    [
        {"viewport": {"width": 1200, "height": 800}, "color_scheme": "light"},
        {"viewport": {"width": 390, "height": 800}, "color_scheme": "dark"},
    ],
    ids=["wide and light", "a phone and dark"],
)
def test_every_page_loads_draws_and_has_no_barrier(browser: Any, console: Console, context: dict[str, Any]) -> None:
    tab = Tab(browser, console.url, **context)
    for path in PATHS:
        tab.open(path, console.world.model)
        assert tab.barriers() == [], path
        assert tab.page.locator("h1").count() == 1
        assert not tab.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"), path
        assert tab.page.evaluate("window.broken") is None, path
        if path in ("/performance", "/feature?feature=f0"):
            assert tab.page.locator(".uplot canvas").count() > 0
    assert not [address for address in tab.asked if not address.startswith(console.url)]
    assert [said for said in tab.complaints if "404" not in said] == []  # the page that is not there is one


def test_the_heat_map_is_drawn_read_and_leads_to_a_column(browser: Any, console: Console) -> None:
    tab = Tab(browser, console.url, viewport={"width": 1200, "height": 800})
    tab.open("/drift", console.world.model)
    canvas = tab.page.locator("[data-heat] canvas")
    wait_until(lambda: canvas.evaluate("one => one.width") > 400, "the heat map to be drawn")  # an empty canvas has 300
    box = canvas.bounding_box()
    tab.page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 4)
    told = tab.page.locator("[data-heat] .told")
    wait_until(lambda: "× threshold" in told.inner_text(), "the cell to be read")
    with tab.page.expect_navigation():
        tab.page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + 4)
    assert "/feature" in tab.page.url
    assert tab.page.evaluate("window.broken") is None
    tab.open("/drift", console.world.model)
    assert EVIL in tab.page.locator("table").first.inner_text()
    assert tab.complaints == []


def test_the_slider_says_what_would_have_been_otherwise_while_it_moves(browser: Any, console: Console) -> None:
    tab = Tab(browser, console.url)
    tab.open("/", console.world.model)
    tab.page.locator("summary", has_text="What if").focus()
    tab.page.keyboard.press("Enter")
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("End")
    told = tab.page.locator("[data-told], .slider + div")
    wait_until(lambda: "At 400 % of the threshold 0 of" in told.inner_text(), "the answer to the slider")
    assert "not known" not in told.inner_text()  # the policy was read from the archive in the store
    assert tab.complaints == []


def test_now_is_kept_up_to_date_and_says_when_it_is_not(browser: Any, console: Console) -> None:
    tab = Tab(browser, console.url)
    tab.open("/now", console.world.model)
    tab.page.evaluate("document.querySelector('#now').dataset.old = '1'")
    wait_until(lambda: tab.page.locator("#now[data-old]").count() == 0, "an event to replace what is shown")
    assert "version 1" in tab.page.locator(".loop .predictor").inner_text()
    assert [address for address in tab.asked if "/now/events" in address]
    assert tab.complaints == []


def test_a_person_promotes_with_the_keyboard_alone(browser: Any, console: Console) -> None:
    tab = Tab(browser, console.url)
    tab.open("/version?version=2", console.world.model)
    tab.page.locator("summary", has_text="Make it champion").focus()
    tab.page.keyboard.press("Enter")
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.type("a person has looked at it")
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.type("Ada")
    with tab.page.expect_navigation():
        tab.page.keyboard.press("Enter")
    assert "It is done" in tab.page.locator("main").inner_text()
    assert "★ champion" in tab.page.locator("tbody tr").first.inner_text()
    assert tab.complaints == []


def test_a_person_chooses_rejected_messages_mends_them_and_sends_them_again(browser: Any, console: Console) -> None:
    tab = Tab(browser, console.url)
    tab.open("/quarantine", console.world.model)
    tab.page.get_by_role("button", name="Choose all on this page").click()
    with tab.page.expect_navigation():
        tab.page.get_by_role("button", name="Send the chosen ones again").click()
    tab.page.get_by_label("Set fields").fill("label=true")
    with tab.page.expect_navigation():
        tab.page.get_by_role("button", name="Look again").click()
    assert tab.barriers() == []
    assert "before" in tab.page.locator("main").inner_text()
    tab.page.get_by_label("Why").fill("labels came as text")
    tab.page.get_by_label("Your name").fill("Ada")
    with tab.page.expect_navigation():
        tab.page.locator("form[action='/redrive/send'] button").click()
    told = tab.page.locator(".told-done").inner_text()
    assert "sent again" in told
    assert "1 would have been rejected again" in told
    assert tab.page.evaluate("window.broken") is None
    assert [address for address in tab.asked if not address.startswith(console.url)] == []
    assert tab.complaints == []
