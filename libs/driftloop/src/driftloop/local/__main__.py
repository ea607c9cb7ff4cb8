"""`python -m driftloop.local`: run one stack until SIGTERM. `driftloop up` starts it in the background."""

import argparse
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from driftloop.errors import ConfigurationError, TransientError
from driftloop.local.background import PROGRESS
from driftloop.local.errors import LocalStackError
from driftloop.local.instances import ONE_OF_EACH, instances_of
from driftloop.local.kept_instances import as_json, from_json
from driftloop.local.port_numbers import DEFAULT_PORT_BASE
from driftloop.local.prepare import prepare_bucket, prepare_stack
from driftloop.local.scaling import requested
from driftloop.local.stack import LocalStack

REPORT_PERIOD_SECONDS = 1.0  # a restarted process has a new pid; stack.json follows it


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m driftloop.local")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port-base", type=int, default=DEFAULT_PORT_BASE)
    parser.add_argument(
        "--instances", default=as_json(instances_of(ONE_OF_EACH)), help="[[service, number, project], ...]; []: Kafka and S3 alone"
    )
    parser.add_argument("--status-fd", type=int, help="where to say that the stack is ready, or why it is not")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # else a line for every readiness probe
    status = _Status(arguments.status_fd)
    logging.getLogger("driftloop.local.supervisor").addHandler(_Told(status))
    signal.signal(signal.SIGTERM, _exit)
    signal.signal(signal.SIGINT, _exit)
    try:
        instances = from_json(arguments.instances)
        prepare = prepare_stack if instances else prepare_bucket
        with LocalStack(arguments.home, arguments.port_base, prepare=prepare, instances=instances) as stack:
            status.say("ready")
            while True:
                time.sleep(REPORT_PERIOD_SECONDS)
                _change_if_asked(stack)
                stack.refresh()
    except (LocalStackError, TransientError, ConfigurationError, ValueError) as exc:
        logging.error("%s", exc)
        status.say(f"error: {exc}")
        return 1
    return 0


def _change_if_asked(stack: LocalStack) -> None:
    try:
        wanted = requested(stack.home)
        if wanted is not None:
            stack.change(wanted)
            logging.info("instances: %s", ", ".join(i.name if i.project is None else f"{i.name} ({i.project})" for i in wanted))
    except (LocalStackError, ValueError, OSError) as exc:  # whoever asked waits, and is told to look here; the stack goes on
        logging.error("instances not changed: %s", exc)


def _exit(signal_number: int, frame: FrameType | None) -> None:
    signal.signal(signal_number, signal.SIG_IGN)  # the stop that now begins is not to be interrupted
    sys.exit(0)


class _Told(logging.Handler):
    """What the start waits for is told to whoever waits for it, until it has its answer."""

    def __init__(self, status: "_Status") -> None:
        super().__init__(logging.INFO)
        self._status = status

    def emit(self, record: logging.LogRecord) -> None:
        self._status.tell(record.getMessage())


class _Status:
    """To whoever started this process: lines about its progress, then the answer, sent once; then the pipe is closed."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()  # threads tell; a descriptor that is closed may soon be another file's

    def tell(self, text: str) -> None:
        """A line before the answer; nothing after it."""
        with self._lock:
            self._write(f"{PROGRESS}{' '.join(text.splitlines()[:1])}\n")

    def say(self, text: str) -> None:
        with self._lock:
            if self._descriptor is None:
                return
            self._write(text)
            os.close(self._descriptor)
            self._descriptor = None

    def _write(self, text: str) -> None:
        if self._descriptor is None:
            return
        try:
            os.write(self._descriptor, text.encode())
        except BrokenPipeError:
            logging.getLogger(__name__).info("nobody waits for: %s", text)


if __name__ == "__main__":
    sys.exit(main())
