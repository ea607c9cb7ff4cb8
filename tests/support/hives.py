"""A CSV that the repository does not know: readings of bee hives, with a season, an id, a constant, a leak, and labels that come late."""

import csv
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

COLUMNS = (
    *("Reading No", "hive_id", "measured_at", "Outside Temp (C)", "humidity", "weight kg", "queen", "region", "firmware"),
    *("swarmed_at", "mites_after", "swarmed"),
)
FEATURES = {"outside_temp_c", "humidity", "weight_kg", "queen", "region"}
START, DAYS = datetime(2023, 3, 6), 140  # no zone: that is how the file has it  # noqa: DTZ001
QUEENS, REGIONS = ("carnica", "ligustica", "buckfast"), ("north", "south", "east", "west")


def append_hives(path: Path, rows: int, days: int = 20) -> None:
    """So many rows more, of the days that follow."""
    later = write_hives(path.with_name("later.csv"), rows, seed=1, first_day=DAYS, days=days, ids="S")
    with path.open("a", encoding="utf-8") as file:
        file.writelines(later.read_text(encoding="utf-8").splitlines(keepends=True)[1:])


def write_hives(path: Path, rows: int, seed: int = 0, *, first_day: int = 0, days: int = DAYS, ids: str = "R") -> Path:
    random = np.random.default_rng(seed)
    minute = first_day * 1440 + np.sort(random.integers(0, days * 1440, rows))
    season = np.sin(2 * np.pi * (65 + minute / 1440) / 365)
    hive = random.integers(0, 60, rows)
    temperature = 12 + 10 * season + random.normal(0, 4, rows)
    humidity = np.clip(60 - 15 * season + random.normal(0, 10, rows), 5, 100)
    weight = 30 + hive % 5 + random.normal(0, 3, rows)
    queen, region = random.integers(0, 3, rows), random.integers(0, 4, rows)
    leaning = np.array([0.0, 0.8, -0.8])[queen] + np.where(region == 1, 1.5 * season, 0)
    swarmed = random.random(rows) < 1 / (1 + np.exp(1 - 0.15 * (temperature - 15) - 0.2 * (weight - 32) - leaning))
    known = random.integers(6, 40, rows)
    labelled, measured = random.random(rows) > 0.03, random.random(rows) > 0.05
    mites = np.where(swarmed, 5, 0) + random.random(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(COLUMNS)
        for i in range(rows):
            at = START + timedelta(minutes=int(minute[i]))
            after = (at + timedelta(hours=int(known[i]))).isoformat(sep=" ") if labelled[i] else ""
            label = ("yes" if swarmed[i] else "no") if labelled[i] else ""
            about = QUEENS[queen[i]], REGIONS[region[i]], "v2.1", after, f"{mites[i]:.3f}", label
            readings = f"{temperature[i]:.1f}" if measured[i] else "", f"{humidity[i]:.1f}", f"{weight[i]:.2f}"
            out.writerow((f"{ids}{i:07d}", f"H{hive[i]:02d}", at.isoformat(sep=" "), *readings, *about))
    return path
