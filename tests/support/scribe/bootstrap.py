"""The smallest event service: one topic, no store, nothing said twice. What it needs beyond this folder is its line in the table."""

from functools import partial

from driftloop.contracts.events import DecisionMade
from driftloop.contracts.services import Service
from driftloop.contracts.topics import DECISIONS
from driftloop.service.event_worker import on
from driftloop.service.health import Waiting
from driftloop.service.process import Stop, run_service
from driftloop.service.settings import service_settings
from driftloop.service.start import Parts, started

from .handlers import Notes

SCRIBE = Service(name="scribe", port_offset=60)


def main() -> None:
    run_service(SCRIBE.name, run)


def run(stop: Stop) -> None:
    settings = service_settings(SCRIBE)
    parts, health = Parts(settings, stop), Waiting(settings.instance, "waiting for the broker")
    noted = on(DecisionMade, Notes(settings.state_dir / "notes").on_decision_made)
    with started(parts, health):
        parts.until_connected(lambda: parts.broker.check(SCRIBE.topics()))
        worker = parts.until_connected(partial(parts.event_worker, noted, topics=[DECISIONS], handled=parts.handled_events()))
        health.done()
        worker.run()
