"""Pages over many windows: what is done for one does not grow with them, beyond sums over arrays. Work is counted, and not timed."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from bench.console_events import loop
from tests.unit.console.desk import record_of

from driftloop_console.html import Html
from driftloop_console.pages import drift, performance
from driftloop_console.record import ConsoleFold
from driftloop_console.view import View, view_of

FEW, MANY = 500, 4_000
COLUMNS = 8
VIEW = view_of({"points": "100", "width": "100"})
AROUND: dict[str, Any] = {"path": "/", "models": [], "current": "shop", "notices": [], "as_of": None, "key": ""}


@pytest.fixture(scope="module")
def records() -> tuple[ConsoleFold, ConsoleFold]:
    few, many = (record_of(loop(windows, COLUMNS, 5)) for windows in (FEW, MANY))
    return few, many


def calls(work: Callable[[], object]) -> int:
    """How many functions it calls, of Python's and of C's."""
    count = 0

    def told(_: FrameType, event: str, __: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(told)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def shown(record: ConsoleFold, name: str, content: Callable[[ConsoleFold, View], dict[str, Any]], html: Html) -> Callable[[], object]:
    return lambda: html.render(f"{name}.html", page=content(record, VIEW), view=VIEW, **AROUND)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("performance", lambda record, view: performance.performance(record, view, "shop")),
        ("drift", lambda record, view: drift.drift(record, view, "shop")),
        ("feature", lambda record, view: drift.feature(record, view, "shop", "f0")),
    ],
)
def test_eight_times_the_windows_are_not_twice_the_work(name: str, content: Any, records: tuple[ConsoleFold, ConsoleFold]) -> None:
    html = Html()
    few, many = (calls(shown(record, name, content, html)) for record in records)
    assert many < 2 * few, f"{few} calls for {FEW} windows, {many} for {MANY}"
