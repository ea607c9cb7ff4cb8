"""Health, status and metrics on the registry's own port."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from driftloop_registry.responses import answer


def add_operations(app: FastAPI, *, ready: Callable[[], tuple[bool, dict[str, Any]]], status: Callable[[], dict[str, Any]]) -> None:
    """``/healthz`` alive; ``/readyz`` the log has been folded to its end once; ``/status``; ``/metrics``."""

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        return answer({"alive": True})

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        ok, why = ready()
        return answer({"ready": ok, **why}, status=200 if ok else 503)

    @app.get("/status", include_in_schema=False)
    async def show_status() -> Response:
        return answer(status())

    @app.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
