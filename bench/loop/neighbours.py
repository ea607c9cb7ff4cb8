"""Asks a neighbour, in its own environment, when it would have had a model fitted again."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow.parquet as pq

from bench.loop.fitted import Fitted
from bench.neighbours import given
from bench.neighbours.make_env import FOLDER, NotMadeError, environment, last_line

TIMEOUT = 3_600.0  # seconds for a set
# neither tells its makers that it is used
QUIET = {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1"}


class Told(NamedTuple):
    """``refits``: before which judged windows; None: it was not run, and ``words`` say why."""

    refits: list[int] | None
    words: str


def hand_over(of: Fitted, recipe: str, folder: Path) -> None:
    """Write what ``given`` describes: the rows, and what the recipe fitted before each window says of all later rows."""
    schema, bounds = of.project.schema, of.bounds
    features = {feature.name: feature.type for feature in schema.features}
    request = {"task": schema.target.task, "features": features, "bounds": bounds}
    (folder / given.REQUEST).write_bytes(msgspec.json.encode(request))
    pq.write_table(of.table.select([*features, "label"]), folder / given.ROWS)
    outputs: dict[str, Any] = {}
    for f in range(len(of.judged)):
        output, labels = of.output(recipe, f), of.labels[bounds[f] : bounds[-1]]
        wrong = np.abs(output.predictions - labels) if schema.target.task == "regression" else output.predictions != labels
        outputs[f"errors_{f}"] = np.asarray(wrong, dtype=np.float64)
        outputs[f"predictions_{f}"] = output.predictions.astype(str) if schema.target.task == "multiclass" else output.predictions
        if output.probabilities is None:
            outputs[f"scores_{f}"] = output.scores
        else:
            outputs[f"probabilities_{f}"], outputs[f"classes_{f}"] = output.probabilities, np.array(output.classes)
    np.savez(folder / given.OUTPUTS, **outputs)


def ask(name: str, folder: Path, cache: Path) -> Told:
    """``folder``: where ``hand_over`` wrote. Whatever goes wrong there is why it was not run."""
    try:
        python = environment(name, cache)
    except NotMadeError as exc:
        return Told(None, f"not run: {exc}")
    (folder / given.DECISIONS).unlink(missing_ok=True)
    variables = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")} | QUIET
    try:
        subprocess.run(
            [python, FOLDER / f"run_{name}.py", folder], env=variables, check=True, capture_output=True, text=True, timeout=TIMEOUT
        )
        decisions = json.loads((folder / given.DECISIONS).read_bytes())
    except subprocess.CalledProcessError as exc:
        return Told(None, f"not run: {last_line(exc.stderr or '')}")
    except subprocess.TimeoutExpired:
        return Told(None, f"not run: no answer within {TIMEOUT:.0f} s")
    return Told([w for w, _ in decisions["refits"]], decisions["version"])
