"""A small project, its rows, and training processes that run on them."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
from tests.support.waiting import PATIENCE_SECONDS

from driftloop.contracts.values import TrainingPins, Window
from driftloop.lake.split import SplitRule
from driftloop.project.model import Project
from driftloop.project.reading import parse_project
from driftloop.rows.schemas import TIME
from driftloop.training.environment import child_variables
from driftloop.training.job import CHAMPION_FILE, JOB_FILE, PROJECT_FILE, RESULT_FILE, ROWS_FILE, FittedOn, Job, Result, write_json

START = datetime(2024, 1, 4, tzinfo=UTC)  # a boundary of windows of seven days
WINDOW = timedelta(days=7)

CONFIG = """
[project]
name = "shop"
model = "buyers"
[stream]
name = "shop"
[features]
price = "number"
colour = "category"
[target]
name = "bought"
type = "boolean"
metric = "roc_auc"
[windows]
every = "7d"
[training]
candidates = ["all", "last:1"]
threads = 1
"""

PIPELINE = """
import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

def build():
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)
    return make_pipeline(
        make_column_transformer((encoder, ["colour"]), remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=10),
    )
"""


def project(pipeline: str = PIPELINE, config: str = CONFIG, **files: str) -> Project:
    contents = {"driftloop.toml": config, "pipeline.py": pipeline} | {f"{name}.py": text for name, text in files.items()}
    return parse_project({name: text.encode() for name, text in contents.items()}, where="test")


def rows(windows: int = 3, per_window: int = 300, seed: int = 0, flip_in: int | None = None) -> pa.Table:
    """Labels follow price and colour; in the window ``flip_in`` the other way round."""
    random = np.random.default_rng(seed)
    n = windows * per_window
    window = np.arange(n) // per_window
    price, colour = random.normal(10, 3, n), random.choice(["red", "green"], n)
    label = (price + 3 * (colour == "red") + random.normal(0, 1, n) > 11) ^ (window == flip_in)
    times = [START + WINDOW * (i / per_window) for i in range(n)]
    return pa.table(
        {
            "event_id": [f"e{i}" for i in range(n)],
            "event_time": pa.array(times, TIME),
            "entity": [f"customer-{i % 97}" for i in range(n)],
            "price": pa.array(price, mask=random.random(n) < 0.03),
            "colour": pa.array(colour.astype(object), pa.string(), mask=random.random(n) < 0.03),
            "label": label,
        }
    )


def window(n: int) -> Window:
    return Window(start=START + n * WINDOW, end=START + (n + 1) * WINDOW)


def prepare(
    folder: Path,
    of: Project,
    table: pa.Table,
    judged: Window,
    champion: bytes | None = None,
    seed: int = 0,
    champion_fitted_to: datetime | None = None,
) -> Job:
    """``champion_fitted_to``: the end of the champion's training data, by default where the judged window begins."""
    folder.mkdir(parents=True)
    pins = TrainingPins(
        snapshot="a" * 64,
        project=of.digest(),
        environment="c" * 64,
        code="test",
        seed=seed,
        threads=1,
        evaluation_window=judged,
        champion_version=None if champion is None else 7,
        champion_epoch=0 if champion is None else 9,
    )
    split = SplitRule(key=of.split_key, salt=of.split_salt)
    fitted_on = FittedOn(training_start=None, training_end=champion_fitted_to or judged.start, split=split)
    job = Job(
        model=of.model,
        request_id="r1",
        pins=pins,
        end=judged.end,
        has_champion=champion is not None,
        champion_fitted_on=None if champion is None else fitted_on,
    )
    with pa.ipc.new_file(str(folder / ROWS_FILE), table.schema) as writer:
        writer.write_table(table)
    (folder / PROJECT_FILE).write_bytes(of.archive())
    if champion is not None:
        (folder / CHAMPION_FILE).write_bytes(champion)
    write_json(folder / JOB_FILE, job)
    return job


def start(folder: Path, **variables: str) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-m", "driftloop.training.child"],
        env=child_variables(1) | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    process.stdin.write(f"{folder}\n".encode())
    process.stdin.flush()
    return process


def run(folder: Path, **variables: str) -> Result:
    """The result of a whole training process."""
    process = start(folder, **variables)
    process.wait(PATIENCE_SECONDS)
    process.communicate()
    return msgspec.json.decode((folder / RESULT_FILE).read_bytes(), type=Result)
