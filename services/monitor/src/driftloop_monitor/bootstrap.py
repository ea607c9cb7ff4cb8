"""The start of a worker: settings, health, registry log, project; then the wiring runs until a stop."""

import asyncio
from functools import partial

import uvloop

from driftloop.adapters.follower import RegistryFollower
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.contracts import topics
from driftloop.errors import ConfigurationError, GapError, TransientError
from driftloop.service.checks import check_surroundings
from driftloop.service.process import Stop, run_service
from driftloop.service.project import restart_on_new_archive, wait_for_project
from driftloop.telemetry import HealthServer, configure_logging
from driftloop_monitor.settings import MonitorSettings, monitor_settings
from driftloop_monitor.status import MonitorStatus
from driftloop_monitor.wiring import Wiring


def main() -> None:
    run_service("monitor", lambda stop: run(monitor_settings(), stop))


def run(settings: MonitorSettings, stop: Stop) -> None:
    common = settings.common
    configure_logging("monitor", common.instance)
    status = MonitorStatus(common.instance)
    HealthServer(common.http_host, common.http_port, ready=status.ready, status=status.status).start()
    follower = RegistryFollower(common.kafka_bootstrap, client_id=f"monitor-registry-{common.instance}").start()
    project = wait_for_project(follower, MinioObjectStore(common.s3), settings.project, stop)
    if project is None:
        return
    follower.subscribe(partial(restart_on_new_archive, project=project, stop=stop))
    restart_on_new_archive(follower.state(), project, stop)
    check_surroundings(common, (*topics.stream_topics(project.stream, retention_ms=project.retention_ms), *topics.CONTROL_TOPICS))
    wiring = Wiring(settings, project, follower, status, stop)
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # for the consumer's thread too, which makes its own loop
    asyncio.run(wiring.run())
    reason = wiring.failure.reason
    if isinstance(reason, ConfigurationError | GapError | TransientError):
        raise reason
    if reason is not None:
        raise TransientError(f"unexpected: {reason!r}") from reason  # it was logged where it happened
