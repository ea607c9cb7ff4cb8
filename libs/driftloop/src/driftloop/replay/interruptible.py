"""Ctrl-C is noticed at once, whatever the libraries are doing."""

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
LOOK_SECONDS = 0.2


def interruptible(work: Callable[[], T]) -> T:
    """Do ``work`` in a thread and wait for it in this one; a KeyboardInterrupt ends the wait and leaves the thread behind.

    kafka-python runs its event loop in the thread that calls it, and an interrupt that arrives in there is lost.
    """
    result: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            result.append(work())
        except BaseException as exc:  # noqa: BLE001  raised again in the thread that waits
            failure.append(exc)

    thread = threading.Thread(target=run, name="replay", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(LOOK_SECONDS)
    if failure:
        raise failure[0]
    return result[0]
