"""``python -m bench.a_year_start READER WINDOWS FOLDER``: one start of a reader after so many windows, alone in a process.

Prints JSON: seconds, CPU seconds, memory before and after in MiB; for ``decider`` the CPU seconds of a decision.
"""

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from bench.a_year_events import MODEL, PARTITIONS, control_topics, registry_topic, window
from bench.clocks import spending
from bench.control_start import resident_mib
from driftloop.adapters.memory import FixedClock
from driftloop.client.told_events import decisions
from driftloop.contracts.codec import envelope
from driftloop.contracts.events import DecisionMade, Event
from driftloop.contracts.values import Window
from driftloop.history.checkpoint import Checkpoint, FoldedState
from driftloop.history.events import Events
from driftloop.history.id_set import IdSet
from driftloop.history.model_history import ModelHistory
from driftloop.history.registry_follower import RegistryFollower
from driftloop.lake.join import JoinCounts
from driftloop.monitoring.assembled_window import AssembledWindow, WindowSummary
from driftloop.monitoring.assembly import REMEMBERED_WINDOWS
from driftloop.project.model import Project
from driftloop.project.reading import parse_project
from driftloop_monitor.decider import WINDOWS_PER_STEP, Decider
from driftloop_monitor.history import KEEP, TOPICS, model_history
from driftloop_trainer.history import requests_and_runs

PATIENCE_SECONDS = 3600.0
DECISIONS = 10  # measured, one window each
LAST = 1000  # that a person reads
ROWS = 100  # of a window
CONFIG = f"""
[project]
name = "{MODEL}"
model = "{MODEL}"
[stream]
name = "{MODEL}"
[features]
amount = "number"
[target]
name = "bought"
type = "boolean"
metric = "roc_auc"
[windows]
every = "1m"
"""


def monitor(windows: int, folder: Path) -> ModelHistory:
    history, follower = model_history(control_topics(windows), MODEL, folder)
    follower.start().sync(PATIENCE_SECONDS)
    follower.stop()
    return history


def prepared(windows: int, folder: Path) -> object:
    """The checkpoint that a monitor leaves behind so many windows, made without reading records: that takes a sixth of the time."""
    history, topics = ModelHistory(MODEL, KEEP), control_topics(windows)
    events, seen = Events(history), IdSet()
    for made in topics.made.values():
        for _, event, event_id, time in made.records():
            seen.add(event_id)
            history.add(event, envelope(event, id=event_id, source="driftloop/bench", subject=MODEL, time=time))
    events.restore(msgspec.msgpack.encode((seen.stored(), history.stored())))
    known = topics.describe(TOPICS)
    state = FoldedState(
        topics={name: info.id for name, info in known.items()},
        next_offsets={name: {0: topics.made[name].count} for name in TOPICS},
        state=events.stored(),
    )
    Checkpoint(folder / "history.checkpoint").store(state)
    return history


def trainer(windows: int, folder: Path) -> object:
    history, reader = requests_and_runs(control_topics(windows), folder)
    reader.sync(PATIENCE_SECONDS)
    reader.close()
    return history


def registry(windows: int, folder: Path) -> object:
    follower = RegistryFollower(registry_topic(windows), checkpoint=folder / "registry.checkpoint").start(PATIENCE_SECONDS)
    assert follower.caught_up
    follower.stop()
    return follower


def record(windows: int, folder: Path) -> object:
    found = decisions(control_topics(windows), MODEL, print, last=LAST)
    assert len(found) == min(LAST, windows)
    return found


READERS = {"prepared": prepared, "monitor": monitor, "trainer": trainer, "registry": registry, "record": record}


class Rows:
    """A lake that holds everything, and the same rows for every window."""

    versions, seen = (1, 1), {"inferences": 1, "labels": 1}

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self._table = pa.table(
            {
                "event_time": pa.array([window(0).start] * ROWS, pa.timestamp("us", tz="UTC")),
                "prediction": pa.array(rng.random(ROWS) < 0.5),
                "score": pa.array(rng.random(ROWS)),
                "model_version": pa.array([1] * ROWS),
                "label": pa.array(rng.random(ROWS) < 0.5),
                "label_time": pa.array([window(1).start] * ROWS, pa.timestamp("us", tz="UTC")),
            }
        )

    def refresh(self) -> bool:
        return True

    def changed(self, since: Mapping[str, int]) -> list[tuple[datetime, datetime]]:
        return []

    def holds(self, closing_offsets: Mapping[str, int], topic_ids: Mapping[str, str]) -> bool:
        return True

    def labels_known(self, of: Window) -> bool:
        return True

    def rows(self, of: Window, counts: JoinCounts) -> pa.Table:
        return self._table


class Told:
    """What is published is in the history at once."""

    def __init__(self, history: ModelHistory) -> None:
        self._history, self.decided = history, 0

    def publish(self, topic: str, event: Event, *, key: str, id: str, time: datetime | None = None) -> None:
        self.decided += isinstance(event, DecisionMade)
        self._history.add(event, envelope(event, id=id, source="driftloop/bench", subject=key, time=time))


def cpu_of_a_decision(windows: int, folder: Path) -> float:
    """Of a monitor that has just started, with as many windows as it remembers."""
    history = monitor(windows, folder)
    told = Told(history)
    decider = Decider(_project(), Rows(), history, told, FixedClock(window(windows).end), lambda: None)  # type: ignore[arg-type]
    complete = [_complete(n) for n in range(windows - REMEMBERED_WINDOWS, windows)]
    for _ in range(REMEMBERED_WINDOWS // WINDOWS_PER_STEP):
        decider.step(complete)
    assert not told.decided
    with spending() as spent:
        for n in range(windows, windows + DECISIONS):
            complete = [*complete[1:], _complete(n)]
            decider.step(complete)
    assert told.decided == DECISIONS
    return spent().cpu / DECISIONS


def _complete(n: int) -> AssembledWindow:
    offsets = {str(partition): n for partition in range(PARTITIONS)}
    summary = WindowSummary(1, ROWS, False, "amount", 0.1, 0.25, offsets, dict.fromkeys(offsets, "0Yk2x9cZTnOqm7VbLw3s5A"))
    return AssembledWindow(window(n), revision=0, summary=summary)


def _project() -> Project:
    pipeline = b"from sklearn.pipeline import Pipeline\n\ndef build() -> Pipeline:\n    raise NotImplementedError\n"
    return parse_project({"driftloop.toml": CONFIG.encode(), "pipeline.py": pipeline}, "bench")


if __name__ == "__main__":
    name, count, place = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    if name == "decider":
        print(json.dumps({"cpu": cpu_of_a_decision(count, place)}))
    else:
        before = resident_mib()
        with spending() as spent:
            kept = READERS[name](count, place)
        print(json.dumps({"seconds": spent().wall, "cpu": spent().cpu, "before_mib": before, "after_mib": resident_mib()}))
