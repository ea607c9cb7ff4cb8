"""Letters on their way: a thread for each rule that has some, so that a slow receiver holds up nobody else's."""

import queue
import random
import threading
import time
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from driftloop.contracts.notify_rules import NotifyRule
from driftloop.telemetry import get_logger
from driftloop_notifier import backoff
from driftloop_notifier.memory import Letter
from driftloop_notifier.sending import NotTaken, Refused, Sender

log = get_logger(__name__)

SendBy = Callable[[NotifyRule], Sender]


class Outcome(NamedTuple):
    """``problem`` None: it has arrived."""

    letter: Letter
    attempts: int
    problem: str | None


class Deliveries:
    """Takes letters, tries each until it has arrived, is refused, or ``retry_seconds`` are over, and says what became of it.

    A letter is tried once at least, however old it is. One that tells how something went on waits until the one that told its
    beginning is settled.
    """

    def __init__(self, send_by: SendBy, *, retry_seconds: float, now: Callable[[], datetime]) -> None:
        self._send_by, self._retry_seconds, self._now = send_by, retry_seconds, now
        self._workers: dict[str, _Worker] = {}  # by rule
        self._taken: set[tuple[str, int]] = set()
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()

    def take(self, letters: Iterable[tuple[Letter, NotifyRule]]) -> None:
        """All that has to go out now; those that were taken before are passed over, and what is not among them is forgotten."""
        wanted = {(letter.id, letter.round): (letter, rule) for letter, rule in letters}
        self._taken &= wanted.keys()
        unsettled = {letter_id for letter_id, _ in wanted}
        for key, (letter, rule) in wanted.items():
            if key not in self._taken and letter.due.opening not in unsettled:
                self._taken.add(key)
                self._worker(letter.due.rule).put(letter, rule)
        for worker in self._workers.values():
            worker.keep(self._taken)

    def settled(self) -> list[Outcome]:
        """What has become of some since it was asked last."""
        found: list[Outcome] = []
        try:
            while True:
                found.append(self._outcomes.get_nowait())
        except queue.Empty:
            return found

    def waiting(self) -> dict[str, str]:
        """By the ids of letters that were tried in vain so far, why."""
        return {letter: problem for worker in self._workers.values() for letter, problem in worker.problems().items()}

    def _worker(self, rule: str) -> "_Worker":
        if rule not in self._workers:
            self._workers[rule] = _Worker(self._send_by, self._retry_seconds, self._now, self._outcomes.put)
        return self._workers[rule]


class _Job:
    def __init__(self, letter: Letter, rule: NotifyRule) -> None:
        self.letter, self.rule = letter, rule
        self.attempts, self.due_at, self.problem = 0, time.monotonic(), ""


class _Worker:
    """The letters of one rule, the one that is due first before the others."""

    def __init__(self, send_by: SendBy, retry_seconds: float, now: Callable[[], datetime], told: Callable[[Outcome], None]) -> None:
        self._send_by, self._retry_seconds, self._now, self._told = send_by, retry_seconds, now, told
        self._changed = threading.Condition()
        self._jobs: dict[tuple[str, int], _Job] = {}
        threading.Thread(target=self._run, name="deliveries", daemon=True).start()

    def put(self, letter: Letter, rule: NotifyRule) -> None:
        with self._changed:
            self._jobs[letter.id, letter.round] = _Job(letter, rule)
            self._changed.notify()

    def keep(self, wanted: Collection[tuple[str, int]]) -> None:
        with self._changed:
            self._jobs = {key: job for key, job in self._jobs.items() if key in wanted}

    def problems(self) -> dict[str, str]:
        with self._changed:
            return {job.letter.id: job.problem for job in self._jobs.values() if job.problem}

    def _run(self) -> None:
        while True:
            job = self._next()
            if (outcome := self._attempted(job)) is not None:
                with self._changed:
                    self._jobs.pop((job.letter.id, job.letter.round), None)
                self._told(outcome)

    def _next(self) -> _Job:
        with self._changed:
            while True:
                first = min(self._jobs.values(), key=lambda job: job.due_at, default=None)
                pause = None if first is None else first.due_at - time.monotonic()
                if first is not None and pause is not None and pause <= 0:
                    return first
                self._changed.wait(pause)

    def _attempted(self, job: _Job) -> Outcome | None:
        """None: it has to be tried again."""
        job.attempts += 1
        try:
            self._send_by(job.rule).send(job.letter, job.rule)
            return Outcome(job.letter, job.attempts, None)
        except Refused as exc:
            return Outcome(job.letter, job.attempts, str(exc))
        except NotTaken as exc:
            job.problem, asked = str(exc), exc.after_seconds
        except Exception as exc:  # whatever a sender stumbles over: the other letters go on
            log.error("attempt-failed", exc_info=True, id=job.letter.id)
            job.problem, asked = f"{type(exc).__name__}: {exc}", 0.0
        age = (self._now() - job.letter.since).total_seconds()
        pause = backoff.pause(job.attempts, asked, random.random())
        if age + pause > self._retry_seconds:
            return Outcome(job.letter, job.attempts, f"{job.problem}; tried {job.attempts} times")
        log.warning("not-taken", id=job.letter.id, to=job.rule.destination, reason=job.problem, again_in=round(pause, 1))
        job.due_at = time.monotonic() + pause
        return None
