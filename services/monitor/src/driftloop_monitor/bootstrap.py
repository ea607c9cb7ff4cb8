"""The start of a worker: the frame that every service has, then the wiring runs until a stop."""

import asyncio

import uvloop

from driftloop.adapters.s3 import MinioObjectStore
from driftloop.contracts.services import MONITOR
from driftloop.service.checks import check_surroundings
from driftloop.service.process import Stop, run_service
from driftloop.service.start import Parts, started
from driftloop_monitor.settings import monitor_settings
from driftloop_monitor.status import MonitorStatus
from driftloop_monitor.wiring import Wiring


def main() -> None:
    run_service(MONITOR.name, run)


def run(stop: Stop) -> None:
    settings = monitor_settings()
    parts, status = Parts(settings.common, stop), MonitorStatus(settings.common.instance)
    with started(parts, status):
        project = parts.project(MinioObjectStore(settings.common.s3))
        topics = MONITOR.topics(project.stream, project.retention_ms, project.existing)
        parts.until_connected(lambda: check_surroundings(settings.common, topics))
        wiring = Wiring(settings, project, parts.registry, status, stop)
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # for the consumer's thread too, which makes its own loop
        asyncio.run(wiring.run())
        wiring.failure.raise_reason()
