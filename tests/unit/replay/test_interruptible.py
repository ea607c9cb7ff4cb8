"""Ctrl-C reaches the waiting thread, whatever the working one does."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest
from tests.support.waiting import PATIENCE_SECONDS

from driftloop.replay.interruptible import interruptible


def test_the_result_comes_back() -> None:
    assert interruptible(lambda: 42) == 42


def test_an_error_comes_back() -> None:
    with pytest.raises(ZeroDivisionError):
        interruptible(lambda: 1 // 0)


@pytest.fixture
def sigint_raises() -> Iterator[None]:
    """As in a terminal; a process that was started in the background ignores the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("sigint_raises")
def test_an_interrupt_ends_the_wait_though_the_work_goes_on() -> None:
    over, began = threading.Event(), time.monotonic()
    threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()

    with pytest.raises(KeyboardInterrupt):
        interruptible(lambda: over.wait(PATIENCE_SECONDS))
    over.set()

    assert time.monotonic() - began < PATIENCE_SECONDS
