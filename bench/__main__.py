"""The command: choose measurements, run them one after the other, report."""

import argparse
import importlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from types import FrameType

from bench.clocks import BenchError
from bench.figures import Figure, as_json, as_line, as_table
from bench.surroundings import Surroundings
from driftloop.errors import ConfigurationError, TransientError, UserError
from driftloop.local.errors import LocalStackError
from driftloop.local.paths import cache_dir, default_home

Measure = Callable[[Surroundings], Iterable[Figure]]
# name: module; imported when asked for
MEASUREMENTS = {
    "split-hash": "bench.split_hash",
    "monitor": "bench.monitor",
    "predictor": "bench.predictor",
    "http": "bench.http_row",
    "unscorable": "bench.unscorable",
    "ingest": "bench.ingest",
    "snapshot": "bench.snapshot_read",
    "promotion": "bench.promotion",
    "control-history": "bench.control_history",
    "lake-log": "bench.lake_log",
    "start": "bench.stack_start",
    "init": "bench.new_project",
    "trace": "bench.trace",
    "compression": "bench.compression",
    "secured": "bench.secured",
    "shadow": "bench.shadow",
    "avro": "bench.avro",
    "retraining": "bench.retraining",
    "drift-speed": "bench.drift_speed",
    "console": "bench.console",
}
# half an hour and gigabytes, or about other things than speed: only when named
ON_REQUEST = {
    "a-year": "bench.a_year",
    "many-commits": "bench.many_commits",
    "larger-than-memory": "bench.larger_than_memory",
    "drift-verdicts": "bench.drift_verdicts",
}
INTERRUPTED = 130
EXPECTED = (BenchError, LocalStackError, TransientError, ConfigurationError, UserError)


def main(arguments: Sequence[str] | None = None, load: Callable[[str], Measure] | None = None) -> int:
    """0 when every measurement gave its figures, whatever they are; 1 when one could not be made, 130 after SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure driftloop. Reports, asserts nothing.",
        epilog="`python -m bench chaos` is a run of faults that does assert: see its --help.",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASUREMENTS)} (default: all of these), {', '.join(ON_REQUEST)}"
    )
    parser.add_argument("--json", action="store_true", dest="as_json", help="print the report as JSON")
    chosen = parser.parse_args(arguments)
    known = MEASUREMENTS | ON_REQUEST
    unknown = [name for name in chosen.names if name not in known]
    if unknown:
        parser.error(f"no measurement {', '.join(unknown)}: choose from {', '.join(known)}")
    figures: list[Figure] = []
    failed: dict[str, str] = {}
    with closing(Surroundings(_say)) as around:
        for name in chosen.names or MEASUREMENTS:
            try:
                for figure in (load or _load)(name)(around):
                    figures.append(figure)
                    _say(as_line(figure))
            except EXPECTED as exc:
                failed[name] = str(exc)
                _say(f"{name}: not measured: {exc}")
            except KeyboardInterrupt:
                failed[name] = "interrupted"
                _say(f"{name}: interrupted; no further measurements")
                break
            except Exception as exc:  # noqa: BLE001 - a fault in one measurement must not lose the others' figures
                failed[name] = repr(exc)
                _say(f"{name}: not measured:\n{traceback.format_exc()}")
    print(as_json(figures, failed).decode() if chosen.as_json else as_table(figures))
    return INTERRUPTED if "interrupted" in failed.values() else 1 if failed else 0


def _load(name: str) -> Measure:
    _say(f"== {name}")
    measure: Measure = importlib.import_module((MEASUREMENTS | ON_REQUEST)[name]).measure
    return measure


_began = time.monotonic()


def _say(text: str) -> None:
    print(f"{time.monotonic() - _began:6.1f} s  {text}", file=sys.stderr, flush=True)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt  # so that everything that was started is ended on the way out, and what is known is reported


if __name__ == "__main__":
    os.environ.setdefault("DRIFTLOOP_CACHE", str(cache_dir(default_home())))  # the stacks' homes are temporary, jars are not
    signal.signal(signal.SIGTERM, _interrupt)
    if sys.argv[1:2] == ["chaos"]:  # asserts, so it is no measurement
        sys.exit(importlib.import_module("bench.chaos.command").main(sys.argv[2:]))
    sys.exit(main())
