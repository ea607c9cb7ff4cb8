"""Callers of ``POST /invocations`` beside the stream: they take the predictors in turns, and repeat what may not have been recorded."""

import queue
import threading
import time
from collections.abc import Sequence

import httpx

from bench.chaos.book import Book
from bench.chaos.traffic import Call
from driftloop.contracts.headers import JSON

CALLERS = 3  # of one project: a predictor that is paused holds up one of them
ANSWER_SECONDS = 15.0  # longer than the predictor waits for the broker
REPEAT_SECONDS = 0.5


class Callers:
    """``urls``: the project's predictors. Rows of a call that has no sure outcome are sent again with the same event ids."""

    def __init__(self, stream: str, urls: Sequence[str], book: Book) -> None:
        self._stream, self._urls, self._book = stream, list(urls), book
        self._calls: queue.Queue[Call | None] = queue.Queue()
        self.wrong: list[str] = []  # answers that cannot be, in words
        self.repeated = 0
        self._threads = [
            threading.Thread(target=self._work, args=(n,), name=f"chaos-caller-{stream}-{n}", daemon=True) for n in range(CALLERS)
        ]
        for thread in self._threads:
            thread.start()

    def call(self, call: Call) -> None:
        """Soon, in the background."""
        self._calls.put(call)

    @property
    def waiting(self) -> int:
        return self._calls.qsize()

    def close(self) -> None:
        """Return when every call was answered; the predictors must be up by then."""
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self, turn: int) -> None:
        with httpx.Client(timeout=ANSWER_SECONDS) as http:
            while (call := self._calls.get()) is not None:
                while not self._answered(http, self._urls[turn % len(self._urls)], call):
                    turn += 1
                    self.repeated += 1
                    time.sleep(REPEAT_SECONDS)
                turn += 1

    def _answered(self, http: httpx.Client, url: str, call: Call) -> bool:
        self._book.called(self._stream, call.events, "maybe")
        where = f"{url}/invocations" + ("?durable=1" if call.durable else "")
        try:
            answer = http.post(where, content=call.body, headers={"content-type": JSON})
        except httpx.HTTPError:
            return False
        if answer.status_code >= 500:
            return False
        if not call.events:
            if answer.status_code == httpx.codes.BAD_REQUEST:
                self._book.refused(self._stream)
            else:
                self.wrong.append(f"a call with a bad row was answered {answer.status_code} {answer.text[:200]}")
        elif answer.status_code != httpx.codes.OK:
            self.wrong.append(f"a good call was answered {answer.status_code} {answer.text[:200]}")
        elif tuple(answer.json()["event_ids"]) != call.events:
            self.wrong.append(f"a call with {call.events} was answered for {answer.json()['event_ids']}")
        else:
            self._book.called(self._stream, call.events, "durable" if call.durable else "answered")
        return True
