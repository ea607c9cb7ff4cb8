"""A year of one-minute windows, 500 partitions, 1,000 features: starts, memory, bytes and time per decision, beside a tenth of it.

Each line says ``ok`` or ``grows``: whether the figure grew no faster than its work. What is bounded may not grow at all, but for
the measure's own noise; what is done once for each event, sketch or commit must cost the same each time. The records are made as
they are read (``made_topics``), since no broker is measured here; the lake's log is that of a real store.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench import lake_log
from bench.a_year_events import A_YEAR, WINDOWS_PER_RUN, control_topics, decisions, registry_topic, reports
from bench.a_year_tables import of_a_flush, of_a_sketch
from bench.clocks import BenchError
from bench.figures import Aim, Figure, Limit
from bench.surroundings import Surroundings
from driftloop.contracts.codec import encode_event, envelope
from driftloop.contracts.events import Event

TENTH = A_YEAR // 10
A_DAY = 24 * 60  # windows
FOLDED = 10_000, 100_000  # windows; half of the first are wide (``a_year_events.WIDE``), so a record of it weighs more
REPEATS = 3  # of what takes less than a second; the quickest counts
PATIENCE_SECONDS = 3600.0
NOISE = 1.3  # of a ratio that should be 1
SECONDS, MIB = 0.5, 8.0  # that two starts alike may differ by
ID_BYTES = 16  # kept for ever of each event, so that one that comes again is known
ID_BYTES_ALLOWED = 4 * ID_BYTES  # while a checkpoint is read there are copies; nothing else may stay of an event
WORDS = ("ok", "grows")


class Start(NamedTuple):
    """Seconds until everything is folded, and the process's memory in MiB without and with it."""

    seconds: float
    cpu: float
    before_mib: float
    after_mib: float


def measure(around: Surroundings) -> Iterator[Figure]:
    """One after the other, so that what comes after half an hour loses nothing of what was measured before it."""
    for reader, what in (("monitor", "control events"), ("trainer", "requests and runs"), ("registry", "commands")):
        few, many = (_started(around, reader, windows) for windows in (TENTH, A_YEAR))
        yield from _starts(reader, what, few, many)
    yield _fold(around)
    yield _decision(around)
    yield from _record(around)
    yield _bytes_a_day()
    yield from _tables()
    yield from _lake(around)


def _events(reader: str, windows: int) -> int:
    made = (registry_topic if reader == "registry" else control_topics)(windows).made
    names = {"monitor": made, "trainer": ("retrain-requests", "training-runs"), "registry": made, "record": ("decisions",)}[reader]
    return sum(made[name].count for name in names)


def _started(around: Surroundings, reader: str, windows: int) -> tuple[Start, Start]:
    """Without a checkpoint, and from the one that that start left. The monitor's is made without reading its records, which would take
    most of an hour: what reading costs, ``_fold`` tells of fewer."""
    folder = _folder(around, reader, windows)
    around.say(f"the {reader} after {windows:,} windows, which are {_events(reader, windows):,} records")
    whole = Start(**_run("prepared" if reader == "monitor" else reader, windows, folder))
    return whole, min(Start(**_run(reader, windows, folder)) for _ in range(REPEATS))


def _folder(around: Surroundings, reader: str, windows: int) -> Path:
    return around.folder / f"a-year-{reader}-{windows}"


def _run(reader: str, windows: int, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.a_year_start", reader, str(windows), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
    if done.returncode:
        raise BenchError(f"{reader} after {windows} windows: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _starts(reader: str, what: str, few: tuple[Start, Start], many: tuple[Start, Start]) -> list[Figure]:
    events, tenth = _events(reader, A_YEAR), _events(reader, TENTH)
    bounded = reader != "registry"  # its state has every command that had an effect: ten times as many are ten times the work
    per_event = ID_BYTES_ALLOWED * (events - tenth) / 2**20
    memory = (few[1].after_mib + per_event + MIB) / few[1].after_mib if bounded else events / tenth
    start = 1.0 if bounded else events / tenth
    return [
        Figure(
            name=f"{reader}-start",
            what=f"CPU of a start from its checkpoint, after {events:,} {what}",
            value=many[1].cpu,
            unit="s",
            limit=Limit(f"after {tenth:,}", few[1].cpu),
            aim=Aim(start + SECONDS / few[1].cpu, "at most", "ratio"),
            note=f"on the clock {many[1].seconds:.2f} s and {few[1].seconds:.2f} s",
            words=WORDS,
        ),
        Figure(
            name=f"{reader}-memory",
            what="memory of the process after that start"
            + (f"; of each event {ID_BYTES} bytes may stay" if bounded else "; its state has every command that had an effect"),
            value=many[1].after_mib,
            unit="MiB",
            limit=Limit("the same after a tenth", few[1].after_mib),
            aim=Aim(memory, "at most", "ratio"),
            note=f"before it began to read: {many[1].before_mib:.0f} MiB; after folding everything: {many[0].after_mib:.0f} MiB",
            words=WORDS,
        ),
    ]


def _fold(around: Surroundings) -> Figure:
    tenth, windows = FOLDED
    few, many = (Start(**_run("monitor", n, around.folder / f"a-year-fold-{n}")).cpu / _events("monitor", n) for n in (tenth, windows))
    return Figure(
        name="monitor-fold",
        what=f"CPU per record of a start without a checkpoint after {windows:,} windows, making the record included",
        value=many * 1e6,
        unit="µs",
        limit=Limit(f"after {tenth:,}", few * 1e6),
        aim=Aim(NOISE, "at most", "ratio"),
        note=f"a year of them: {many * _events('monitor', A_YEAR):.0f} s",
        words=WORDS,
    )


def _decision(around: Surroundings) -> Figure:
    around.say("decisions of a monitor after a year")
    few, many = (
        min(_run("decider", windows, _folder(around, "monitor", windows))["cpu"] for _ in range(REPEATS)) for windows in (TENTH, A_YEAR)
    )
    return Figure(
        name="decision",
        what="CPU of one decision with its reports, with all windows that a monitor remembers, 500 partitions each",
        value=many * 1e3,
        unit="ms",
        limit=Limit("the same after a tenth", few * 1e3),
        aim=Aim(NOISE, "at most", "ratio"),
        words=WORDS,
    )


def _record(around: Surroundings) -> list[Figure]:
    events, tenth = _events("record", A_YEAR), _events("record", TENTH)
    few, many = (Start(**_run("record", windows, _folder(around, "record", windows))) for windows in (TENTH, A_YEAR))
    more = (few.after_mib + MIB + ID_BYTES_ALLOWED * (events - tenth) / 2**20) / few.after_mib
    return [
        Figure(
            name="record-read",
            what=f"CPU per decision of `driftloop decisions --last 1000`, which reads all {events:,}, making them included",
            value=many.cpu / events * 1e6,
            unit="µs",
            limit=Limit("the same after a tenth", few.cpu / tenth * 1e6),
            aim=Aim(NOISE, "at most", "ratio"),
            note=f"all of it: {many.cpu:.0f} s; decisions of 500 partitions are the newest ones, and weigh more in a tenth",
            words=WORDS,
        ),
        Figure(
            name="record-memory",
            what=f"memory of that process; of each decision {ID_BYTES} bytes may stay",
            value=many.after_mib,
            unit="MiB",
            limit=Limit("the same after a tenth", few.after_mib),
            aim=Aim(more, "at most", "ratio"),
            words=WORDS,
        ),
    ]


def _bytes_a_day() -> Figure:
    def of(windows: int) -> int:
        made = [*decisions(windows, windows - A_DAY), *reports(windows, windows - A_DAY)]
        return sum(_size(event, event_id) for _, event, event_id, _ in made)

    return Figure(
        name="control-day",
        what="decisions and performance reports of a day, 500 partitions; kept for ever and 30 days",
        value=of(A_YEAR) / 2**20,
        unit="MiB",
        limit=Limit("the same after a tenth of the year", of(TENTH) / 2**20),
        aim=Aim(1.2, "at most", "ratio"),  # numbers have more digits
        note=f"before compression; with a run every {WINDOWS_PER_RUN} windows",
        words=WORDS,
    )


def _size(event: Event, event_id: str) -> int:
    value, headers = encode_event(event, envelope(event, id=event_id, source="driftloop/bench", subject="bench-history"))
    return len(value) + sum(len(name) + len(text) for name, text in headers)


def _tables() -> list[Figure]:
    def line(name: str, what: str, tenth: str, few: float, many: float, work: float, note: str) -> Figure:
        return Figure(
            name=name, what=what, value=many / 1024, unit="KiB", limit=Limit(tenth, few / 1024), aim=Aim(1.05 * work, "at most", "ratio"),
            note=note, words=WORDS,
        )  # fmt: skip

    by_partitions, fewer_partitions = of_a_sketch(500, 33), of_a_sketch(50, 33)
    by_features, fewer_features = of_a_sketch(4, 1000), of_a_sketch(4, 100)
    by_windows, fewer_windows = of_a_flush(60, 1000), of_a_flush(6, 1000)

    def largest(sent: float) -> str:
        return f"largest value {sent / 1024:.0f} KiB of 8,192"

    day = by_partitions.bytes * 500 * A_DAY / 2**30
    return [
        line(
            "sketch-of-partitions", "changelog per sketch of 33 columns, one of 500 partitions", "one of 50 partitions",
            fewer_partitions.bytes, by_partitions.bytes, 1, f"{largest(by_partitions.largest)}; {day:.1f} GiB a day before compaction",
        ),
        line(
            "sketch-of-features", "changelog per sketch of 1,000 columns, one of 4 partitions", "of 100 columns",
            fewer_features.bytes, by_features.bytes, 10, largest(by_features.largest),
        ),
        line(
            "flush-of-windows", "changelog per flush of a partition with 60 open windows of 1,000 columns", "with 6 open windows",
            fewer_windows.bytes, by_windows.bytes, 1, largest(by_windows.largest),
        ),
    ]  # fmt: skip


def _lake(around: Surroundings) -> Iterator[Figure]:
    def bytes_a_commit(name: str, partitions: int, features: int) -> float:
        around.say(f"the lake's log with {partitions} partitions and {features} features")
        return lake_log.of_now(around, f"a-year-{name}", partitions=partitions, features=features)

    for name, what, tenth, many, few in (
        ("lake-log-of-partitions", "500 partitions, 10 features", "50 partitions", (500, 10), (50, 10)),
        ("lake-log-of-features", "4 partitions, 1,000 features", "100 features", (4, 1000), (4, 100)),
    ):
        value = bytes_a_commit(name, *many)
        yield Figure(
            name=name,
            what=f"the lake's log in a day of a commit every ten seconds; {what}",
            value=value * lake_log.COMMITS_A_DAY / 2**20,
            unit="MiB",
            limit=Limit(tenth, bytes_a_commit(f"{name}-tenth", *few) * lake_log.COMMITS_A_DAY / 2**20),
            aim=Aim(2.0, "at most", "ratio"),
            note=f"{value / 1024:.1f} KiB a commit",
            words=WORDS,
        )
