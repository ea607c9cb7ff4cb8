"""Whoever may have changed something, or tried to, is told in the log."""

import logging

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tests.support.waiting import wait_until

from driftloop.service.http_server import HttpServer


@pytest.fixture
def port():
    async def change(request: Request) -> Response:
        if request.path_params["what"] == "bug":
            raise ZeroDivisionError
        return JSONResponse({}, 409 if request.path_params["what"] == "stale" else 201)

    async def look(_: Request) -> Response:
        return JSONResponse({})

    app = Starlette(routes=[Route("/{what}", change, methods=["POST"]), Route("/{what}", look)])
    server = HttpServer(app, "127.0.0.1", 0, setting="PORT", told=True).start()
    yield server.port
    server.stop()


def told(caplog, calls):
    """The fields of so many lines."""

    def lines():
        return [record.fields for record in caplog.records if record.getMessage() == "http-call"]

    wait_until(lambda: len(lines()) >= calls, f"{calls} lines")
    return lines()


@pytest.mark.parametrize(("what", "status"), [("new", 201), ("stale", 409), ("bug", 500)])
def test_a_call_that_may_change_something_is_told_with_what_came_of_it(port, caplog, what, status):
    caplog.set_level(logging.INFO)
    httpx.get(f"http://127.0.0.1:{port}/{what}")
    httpx.post(f"http://127.0.0.1:{port}/{what}", headers={"Idempotency-Key": "k" * 300}, timeout=20)
    (line,) = told(caplog, 1)
    assert line.pop("seconds") >= 0
    assert line == {"method": "POST", "path": f"/{what}", "status": status, "client": "127.0.0.1", "key": "k" * 200}


def test_a_page_of_another_site_is_told_of_too(port, caplog):
    caplog.set_level(logging.INFO)
    httpx.post(f"http://127.0.0.1:{port}/new", headers={"Origin": "https://evil.example"}, timeout=20)
    (line,) = told(caplog, 1)
    assert (line["status"], line["key"]) == (403, None)
