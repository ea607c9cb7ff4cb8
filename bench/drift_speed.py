"""What calibrating a version's thresholds takes at training, a drift report from counts, and both with the counting of the rows."""

import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench.figures import Aim, Figure, Limit
from bench.surroundings import Surroundings
from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.demo.example import example_folder
from driftloop.monitoring.verdict import judge
from driftloop.project.reading import read_project
from driftloop.statistics.calibration import Budget, PlacedRows, Slotted, calibrate
from driftloop.statistics.effect_size import effect_sizes
from driftloop.statistics.histograms import Counter, build_profile
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
        _with_counting(around),
    ]


def _report(profile: Profile, counts: dict[str, np.ndarray]) -> Figure:
    project = read_project(example_folder())
    reference = np.stack([column.reference for column in profile.columns.values()])
    current = np.stack(list(counts.values()))

    def repeated(work: Callable[[], object]) -> None:
        for _ in range(TIMES // ROUNDS):
            work()

    def milliseconds(work: Callable[[], object]) -> float:
        """The least of several times: what another process takes of the machine is not this one's."""
        return 1000 * ROUNDS / TIMES * min(_seconds(lambda: repeated(work)) for _ in range(ROUNDS))

    return Figure(
        name="drift-report",
        what=f"the verdict on a window of {COLUMNS} columns from its counts, with every statistic of each",
        value=milliseconds(lambda: judge(project, profile, ROWS // WINDOWS, counts)),
        unit="ms of one core",
        limit=Limit("the columns' distances alone, all at once", milliseconds(lambda: effect_sizes("ordered", reference, current))),
        aim=Aim(1.0, "at most"),
    )


NUMBERS, CATEGORIES, VALUES = 20, 5, 50
ROUNDS = 5


def _with_counting(around: Surroundings) -> Figure:
    """A window's rows, counted by a profile that is at hand, and the verdict; beside the best way there is to count each column."""
    around.say(f"counting {ROWS:,} rows of {NUMBERS} numbers and {CATEGORIES} categories")
    random = np.random.default_rng(1)
    numbers = {f"n{i:02}": random.normal(size=ROWS) for i in range(NUMBERS)}
    names = np.array([f"value {i}" for i in range(VALUES)])
    categories = {f"c{i}": pa.array(names[random.integers(0, VALUES, ROWS)]) for i in range(CATEGORIES)}
    table = pa.table({**numbers, **categories})
    features = [*(Feature(name=name, type="number") for name in numbers), *(Feature(name=name, type="category") for name in categories)]
    schema = StreamSchema(stream="s", features=tuple(features), target=Target(name="y", type="boolean"))
    scores = random.random(ROWS)
    profile = build_profile(table, scores, schema, BINS)
    counter, project = Counter(profile), read_project(example_folder())

    def whole() -> None:
        judge(project, profile, ROWS, counter.count(table, scores))

    def kernels() -> float:
        taken = 0.0
        for name, values in (*numbers.items(), ("$score", scores)):
            taken += min(_seconds(kernel) for kernel in _kernels(values, np.array(profile.columns[name].uppers)))
        for name, column in categories.items():
            known = pa.array(profile.columns[name].categories)
            taken += _seconds(lambda column=column, known=known: np.bincount(pc.index_in(column, value_set=known).to_numpy()))
        return taken

    return Figure(
        name="drift-with-counting",
        what=f"the verdict on {ROWS:,} rows of {NUMBERS} numbers and {CATEGORIES} categories, counting included",
        value=1000 * min(_seconds(whole) for _ in range(ROUNDS)),
        unit="ms of one core",
        limit=Limit("counting alone, each column by the best of three kernels", 1000 * min(kernels() for _ in range(ROUNDS))),
        aim=Aim(2.0, "at most", of="ratio"),
    )


def _kernels(values: np.ndarray, bounds: np.ndarray) -> tuple[Callable[[], object], ...]:
    """A column's rows into bins: one pass per bound, a binary search per row, or a sort and a binary search per bound."""
    return (
        lambda: [np.count_nonzero(values <= bound) for bound in bounds],
        lambda: np.bincount(np.searchsorted(bounds, values), minlength=bounds.size + 1),
        lambda: np.searchsorted(np.sort(values), bounds, side="right"),
    )


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
