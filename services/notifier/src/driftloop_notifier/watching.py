"""Asks the services how they are, in a thread of its own, for ``observed.Watch``."""

import threading
from collections.abc import Callable
from datetime import datetime

from driftloop.client.installed import installed_by
from driftloop.client.service_status import asked, samples_of
from driftloop.errors import TransientError, UserError
from driftloop.supervised import SupervisedThread
from driftloop_notifier.conditions import Condition
from driftloop_notifier.observed import Open, Seen, Watch

LOOK_SECONDS = 15.0  # at most; a stall is looked at twice at least before it is one


class Watching:
    """Keeps ``handlers.Observed``. ``services``: as the setting SERVICES has it; empty: nobody is asked. ``own``: this instance."""

    def __init__(self, services: str, watch: Watch, *, own: str, now: Callable[[], datetime]) -> None:
        self._services, self._watch, self._own, self._now = services, watch, own, now
        self._pause = min(LOOK_SECONDS, watch.stall.total_seconds() / 2)
        self._lock, self._stopping = threading.Lock(), threading.Event()
        self.thread = SupervisedThread("services", self._step)

    def start(self) -> None:
        if self._services:
            self.thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._services:
            self.thread.stop()

    def conditions(self, told: Open, now: datetime) -> list[Condition]:
        with self._lock:
            return self._watch.conditions(told, now)

    def _step(self) -> None:
        try:
            services = {name: url for name, url in installed_by(self._services).services.items() if name != self._own}
        except UserError as exc:
            raise TransientError(str(exc)) from exc
        samples = samples_of(services)
        seen = [Seen(status, told, samples.get(status.instance)) for status, told in asked(services)]
        with self._lock:
            self._watch.look(seen, self._now())
        self._stopping.wait(self._pause)
