"""Sketches of partitions, and an assembler that reports on them as the runner does."""

import msgspec
from tests.unit.monitoring.traffic import START, make_profile, make_project, make_rows, window

from driftloop.contracts.events import DriftReported, WindowSketched
from driftloop.contracts.values import PartitionSketch
from driftloop.monitoring.assembly import WindowAssembler
from driftloop.monitoring.drift import drift_reports
from driftloop.statistics.histograms import Counter

PROJECT = make_project()
PROFILE = make_profile(PROJECT, seed=1)
DIGEST = "1" * 64
SKETCHES_ID = "of window-sketches"


def sketch(partition: int, i: int = 0, offset: int = 10, rows: int = 100, *, version: int | None = 1, late: int = 0, partitions: int = 2):
    counted = make_rows(PROJECT, [START] * rows, seed=partition, version=version)
    counts = {name: c.tolist() for name, c in Counter(PROFILE).count(counted).items()}
    parts = () if version is None or not rows else (PartitionSketch(version=version, profile=DIGEST, rows=rows, counts=counts),)
    return WindowSketched(
        stream=PROJECT.stream,
        window=window(i),
        partition=partition,
        partitions=partitions,
        closing_offset=offset,
        rows=rows,
        late_rows=late,
        sketches=parts,
    )


class Teller:
    """An assembler that reports as the runner does, and can be put down and taken up again."""

    def __init__(self) -> None:
        self.table: dict[bytes, bytes] = {}
        self.assembler, self.offset = WindowAssembler(PROJECT.stream, {}, SKETCHES_ID), 0

    def tell(self, *sketches: WindowSketched) -> list[DriftReported]:
        made: list[DriftReported] = []
        for one in sketches:
            if self.assembler.add(one):
                for held in list(self.assembler.to_report(one)):
                    reports = drift_reports(PROJECT, held.window, held.revision + 1, held.by_partition, lambda _: (DIGEST, PROFILE))
                    self.assembler.reported(held, reports)
                    made += reports
            self.offset += 1
            for key, value in self.assembler.changes(self.offset).items():
                if value is None:
                    self.table.pop(key, None)
                else:
                    self.table[key] = value
        return made

    def restart(self, topic_id: str = SKETCHES_ID) -> None:
        self.assembler = WindowAssembler(PROJECT.stream, dict(self.table), topic_id)


def of_rows(rows) -> WindowSketched:
    counts = {name: c.tolist() for name, c in Counter(PROFILE).count(rows).items()}
    part = PartitionSketch(version=1, profile=DIGEST, rows=rows.num_rows, counts=counts)
    return msgspec.structs.replace(sketch(0, rows=0, partitions=1), rows=rows.num_rows, sketches=(part,))
