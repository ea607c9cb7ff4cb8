"""What a loop of one-minute windows tells on its control topics in so many windows: a run every hour, 500 partitions."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from bench.control_events import COMMANDS_PER_VERSION, MODEL, Told, commands, completed, decision, judged, report, requested, started
from bench.made_topics import MadeTopic, MadeTopics
from driftloop.contracts.codec import caused_id
from driftloop.contracts.topics import DECISIONS, PERFORMANCE_REPORTS, REGISTRY_LOG, RETRAIN_REQUESTS, TRAINING_RUNS
from driftloop.contracts.values import Window

A_YEAR = 365 * 24 * 60  # windows
WINDOWS_PER_RUN = 60
PARTITIONS = 500
WIDE = 5_000  # the newest windows, whose decisions name the offsets of so many partitions; more than any reader keeps
NARROW = 4  # partitions before them: text that is read and let go of, and would take an hour to make
START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def window(n: int) -> Window:
    return Window(start=START + n * MINUTE, end=START + (n + 1) * MINUTE)


def control_topics(windows: int) -> MadeTopics:
    """The topics that monitor, trainer and readers fold, after so many windows."""
    runs = len(range(0, windows, WINDOWS_PER_RUN))
    return MadeTopics(
        {
            DECISIONS: MadeTopic(windows + runs, lambda: decisions(windows)),
            PERFORMANCE_REPORTS: MadeTopic(2 * windows, lambda: reports(windows)),
            RETRAIN_REQUESTS: MadeTopic(runs, lambda: _requests(windows)),
            TRAINING_RUNS: MadeTopic(2 * runs, lambda: _runs(windows)),
        },
        MODEL,
    )


def registry_topic(windows: int) -> MadeTopics:
    """A version of every run, and the moves of an alias that most commands are."""
    count = len(range(0, windows, WINDOWS_PER_RUN)) * COMMANDS_PER_VERSION
    return MadeTopics({REGISTRY_LOG: MadeTopic(count, lambda: commands(0, count))}, MODEL)


def decisions(windows: int, first: int = 0) -> Iterator[Told]:
    for n in range(first, windows):
        run, end = n % WINDOWS_PER_RUN == 0, window(n).end
        made = decision(n, window(n), _request_id(n), partitions=PARTITIONS if n >= windows - WIDE else NARROW)
        if not run:
            made = msgspec.structs.replace(made, accepted=False, request_id=None)
        yield DECISIONS, made, caused_id("decision", n), end
        if run:
            yield DECISIONS, judged(n, window(n), _request_id(n)), caused_id("judged", n), end


def reports(windows: int, first: int = 0) -> Iterator[Told]:
    for n in range(first, windows):
        for version in (None, 1 + n // WINDOWS_PER_RUN):
            yield PERFORMANCE_REPORTS, report(window(n), version), caused_id("performance", n, version), window(n).end


def _requests(windows: int) -> Iterator[Told]:
    for n in range(0, windows, WINDOWS_PER_RUN):
        yield RETRAIN_REQUESTS, requested(window(n)), _request_id(n), window(n).end


def _runs(windows: int) -> Iterator[Told]:
    for n in range(0, windows, WINDOWS_PER_RUN):
        yield TRAINING_RUNS, started(n, window(n), _request_id(n)), caused_id("started", n), window(n).end
        yield TRAINING_RUNS, completed(n, window(n), _request_id(n)), caused_id("completed", n), window(n).end


def _request_id(n: int) -> str:
    return caused_id("retrain", MODEL, n)
