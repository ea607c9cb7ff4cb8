"""The frame of a service process: signals, exit codes, one line for a person's mistake."""

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from driftloop.errors import ConfigurationError, Fenced, GapError, MessageTooLarge, TransientError, UserError
from driftloop.telemetry import get_logger

EXIT_CONFIGURATION = 78  # EX_CONFIG: starting again will not help
EXIT_RESTART = 75  # EX_TEMPFAIL: start me again at once, with the new project
EXIT_FAILED = 1

log = get_logger(__name__)


class Stopped(Exception):
    """A stop was requested while something was waited for: there is nothing left to do but to end."""


class Stop:
    """Set when the process shall drain; ``code`` is what it then exits with."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.code = 0

    def request(self, code: int = 0) -> None:
        """The first reason to stop stands."""
        if not self._event.is_set():
            self.code = code
        self._event.set()

    def requested(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """True as soon as a stop is requested, False after ``seconds``."""
        return self._event.wait(seconds)

    def check(self) -> None:
        """Raises Stopped when a stop was requested."""
        if self.requested():
            raise Stopped


def run_service(service: str, main: Callable[[Stop], None]) -> None:
    """Run ``main`` until it returns; does not return itself.

    SIGTERM and SIGINT request a stop; ``main`` then has ten seconds to drain.
    """
    # A poll makes thousands of small tuples that live for one batch; collecting after every 700 costs a tenth of the CPU.
    gc.set_threshold(100_000, 50, 100)
    stop = Stop()

    def on_signal(signum: int, _frame: object) -> None:
        if stop.requested():
            os._exit(EXIT_FAILED)  # asked twice: leave now, the next start repeats what was in hand
        stop.request()
        threading.Thread(target=_exit_after, args=(10.0,), daemon=True).start()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    try:
        with suppress(Stopped):
            main(stop)
        code = stop.code
    except ConfigurationError as exc:
        sys.stderr.write(f"driftloop {service}: {exc}\n")
        code = EXIT_CONFIGURATION
    except UserError as exc:
        sys.stderr.write(f"driftloop {service}: {exc}\n")
        code = 2
    except (TransientError, GapError, Fenced, MessageTooLarge) as exc:
        log.error("service-stopped", reason=str(exc), kind=type(exc).__name__)
        code = EXIT_FAILED
    sys.stderr.flush()
    os._exit(code)  # client threads (kafka, delta-rs) must not hold up the end


def _exit_after(seconds: float) -> None:
    threading.Event().wait(seconds)
    sys.stderr.write("not drained in time; the next start repeats what was in hand\n")
    os._exit(EXIT_FAILED)
