"""Evidently's dataset drift with its defaults: half of the features drifted, each by the test that the library chooses for its kind and
number of rows. Reference: all rows that the champion was fitted on; current: the window that closed. The metric alone, which the preset
DataDriftPreset computes as its first: the pictures of the other metrics take eight times as long."""

from importlib.metadata import version

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.metrics import DriftedColumnsCount
from given import Fires, Given, answer

SHARE = 0.5


def trigger(given: Given) -> Fires:
    rows = pd.read_parquet(given.rows, columns=list(given.features))
    for name in given.numbers:
        rows[name] = rows[name].astype(float)
    for name in given.categories:
        rows[name] = rows[name].astype(object).where(rows[name].notna(), None)
    definition = DataDefinition(numerical_columns=given.numbers, categorical_columns=given.categories)

    def fires(w: int, fitted: int) -> str | None:
        reference, current = rows[: given.bounds[fitted]], rows[given.bounds[w - 1] : given.bounds[w]]
        report = Report([DriftedColumnsCount(drift_share=SHARE)])
        run = report.run(Dataset.from_pandas(current, definition), Dataset.from_pandas(reference, definition))
        (metric,) = run.dict()["metrics"]
        share = metric["value"]["share"]
        return f"{share:.0%} of the features drifted" if share >= SHARE else None

    return fires


if __name__ == "__main__":
    answer(f"Evidently {version('evidently')}", trigger)
