"""The two projects of the run: their folders, and the rows and labels that their applications know. Pure but for ``write``."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

START = datetime(2024, 3, 1, tzinfo=UTC)
WINDOW = timedelta(hours=1)
ROWS_IN_A_WINDOW = 150  # of one project; a window takes WINDOW_SECONDS of the run
WINDOW_SECONDS = 10.0
STEP = WINDOW / ROWS_IN_A_WINDOW  # event time between two rows

_CONFIG = """
[project]
name = "{name}"
model = "{name}-model"
[stream]
name = "{name}"
allowed_lateness = "5m"
[features]
amount = "number"
kind = "category"
night = {{ type = "boolean", required = false }}
[target]
name = "outcome"
type = "{target}"
metric = "{metric}"
[windows]
every = "1h"
[policy]
cooldown = "4h"
min_new_labels = 100
budget = 1000
[training]
candidates = ["all", "last:2"]
threads = 1
[promotion]
min_rows = 20
tolerance = -1000.0
promotion_worth = 0.0
"""
_PIPELINE = """
import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoosting{kind}
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder


def build():
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)
    columns = make_column_transformer((encoder, ["kind"]), remainder="passthrough")
    return make_pipeline(columns, HistGradientBoosting{kind}(max_iter=5, random_state=0))
"""


class Shop(NamedTuple):
    """A project whose stream has its name."""

    name: str
    target: Literal["boolean", "number"]
    metric: str

    @property
    def model(self) -> str:
        return f"{self.name}-model"

    def write(self, folder: Path) -> Path:
        """The project's folder below ``folder``."""
        found = folder / self.name
        found.mkdir(parents=True, exist_ok=True)
        kind = "Classifier" if self.target == "boolean" else "Regressor"
        (found / "driftloop.toml").write_text(_CONFIG.format(name=self.name, target=self.target, metric=self.metric))
        (found / "pipeline.py").write_text(_PIPELINE.format(kind=kind))
        return found

    def event_id(self, n: int) -> str:
        return f"{self.name}-{n:07d}"

    def row(self, seed: int, n: int, event_time: datetime) -> dict[str, Any]:
        """Features of the n-th event; they drift slowly."""
        rng = random.Random(f"row {seed} {self.name} {n}")
        return {
            "event_id": self.event_id(n),
            "event_time": event_time,
            "entity": f"customer-{rng.randrange(60)}",
            "amount": round(rng.gauss(10 + n / 5000, 4), 3),
            "kind": f"k{rng.randrange(4)}",
            "night": rng.choice([True, False, None]),
        }

    def outcome(self, seed: int, n: int, *, corrected: bool = False) -> bool | float:
        """What became of it; a correction says otherwise."""
        rng = random.Random(f"outcome {seed} {self.name} {n}")
        amount = self.row(seed, n, START)["amount"] + rng.gauss(0, 2) + (5.0 if corrected else 0.0)
        return bool(amount > 10) if self.target == "boolean" else float(round(2 * amount, 3))


SHOPS = (Shop("alpha", "boolean", "roc_auc"), Shop("beta", "number", "rmse"))


def window_of(number: int) -> datetime:
    """Start of the window with that number; the first is 0."""
    return START + number * WINDOW
