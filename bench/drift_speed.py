"""What calibrating a version's thresholds takes at training, and a drift report from counts."""

import time

import numpy as np

from bench.figures import Aim, Figure, Limit
from bench.surroundings import Surroundings
from driftloop.demo.example import example_folder
from driftloop.monitoring.verdict import judge
from driftloop.project.reading import read_project
from driftloop.statistics.calibration import Budget, PlacedRows, Slotted, calibrate
from driftloop.statistics.effect_size import effect_sizes
from driftloop.statistics.profile import Column, Profile

ROWS, COLUMNS, BINS, WINDOWS = 100_000, 25, 64, 40
TIMES = 200


def measure(around: Surroundings) -> list[Figure]:
    """In seconds of one core, so that a busy machine does not matter."""
    around.say(f"calibrating {ROWS:,} rows of {COLUMNS} columns")
    random = np.random.default_rng(0)
    values = random.normal(size=(COLUMNS, ROWS))
    bounds = np.concatenate(([-np.inf], np.quantile(values[0], np.arange(1, BINS + 1) / BINS), [np.inf]))
    counted = time.process_time()
    slots = [np.searchsorted(bounds, column) + 1 for column in values]
    counting = time.process_time() - counted
    placed = PlacedRows(np.arange(ROWS) * WINDOWS / ROWS, {f"c{i:02}": Slotted("ordered", BINS + 3, s) for i, s in enumerate(slots)})
    started = time.process_time()
    thresholds = calibrate(placed, None, Budget("1 per 90d", 0.05, 2, 3))
    calibrating = time.process_time() - started
    counts = [np.bincount(s, minlength=BINS + 3) for s in slots]
    columns = {
        f"c{i:02}": Column(kind="ordered", low=-9.0, uppers=tuple(bounds[1:-1].tolist()), counts=tuple(c.tolist()))
        for i, c in enumerate(counts)
    }
    profile = Profile(stream="s", schema_fingerprint="", rows=ROWS, columns=columns, drift=thresholds)
    return [
        Figure(
            name="drift-calibration",
            what=f"thresholds from {ROWS:,} rows of {COLUMNS} columns in {BINS} bins, also for 2 of 3 windows",
            value=calibrating,
            unit="s of one core",
            limit=Limit("np.searchsorted of the same rows into their bins", counting),
            aim=Aim(2.0, "at most"),
        ),
        _report(profile, {name: column.reference // WINDOWS for name, column in columns.items()}),
    ]


def _report(profile: Profile, counts: dict[str, np.ndarray]) -> Figure:
    project = read_project(example_folder())
    reference = np.stack([column.reference for column in profile.columns.values()])
    current = np.stack(list(counts.values()))

    def milliseconds(work: object) -> float:
        started = time.process_time()
        for _ in range(TIMES):
            work()  # type: ignore[operator]
        return (time.process_time() - started) / TIMES * 1000

    return Figure(
        name="drift-report",
        what=f"the verdict on a window of {COLUMNS} columns from its counts, with every statistic of each",
        value=milliseconds(lambda: judge(project, profile, ROWS // WINDOWS, counts)),
        unit="ms of one core",
        limit=Limit("the columns' distances alone, all at once", milliseconds(lambda: effect_sizes("ordered", reference, current))),
        aim=Aim(1.0, "at most"),
    )
