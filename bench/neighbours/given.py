"""What a neighbour is given and what it answers: files of a folder. Needs numpy alone, so that every environment can import it.

`request.json`   task; features and their types; `bounds`: the rows at which the judged windows begin, and the end of the last
`rows.parquet`   features and `label` of all rows in event-time order, those before the first judged window included
`outputs.npz`    of the model fitted on all before window f, for the rows from `bounds[f]` on: `errors_f` (0 and 1, or the absolute error),
                 `predictions_f`, and `scores_f` (binary: of the positive class) or `probabilities_f` with `classes_f`
`decisions.json` the answer: before which windows the model is fitted again, and why
"""

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

REQUEST, ROWS, OUTPUTS, DECISIONS = "request.json", "rows.parquet", "outputs.npz", "decisions.json"

# (w, fitted) → why the window before w has the model fitted again that was fitted on all before window `fitted`; None: it does not
Fires = Callable[[int, int], str | None]


class Given(NamedTuple):
    folder: Path
    task: str
    features: dict[str, str]
    bounds: list[int]

    @property
    def numbers(self) -> list[str]:
        return [name for name, kind in self.features.items() if kind in ("number", "integer")]

    @property
    def categories(self) -> list[str]:
        return [name for name in self.features if name not in self.numbers]

    @property
    def rows(self) -> Path:
        return self.folder / ROWS

    def outputs(self, fitted: int, window: int) -> dict[str, Any]:
        """What the model fitted on all before ``fitted`` says of the rows of ``window``, by what: errors, predictions, …"""
        low, high = (self.bounds[w] - self.bounds[fitted] for w in (window, window + 1))
        with np.load(self.folder / OUTPUTS, allow_pickle=False) as found:
            names = [name.rsplit("_", 1)[0] for name in found.files if name.endswith(f"_{fitted}")]
            return {name: found[f"{name}_{fitted}"] if name == "classes" else found[f"{name}_{fitted}"][low:high] for name in names}


def read(folder: Path) -> Given:
    return Given(folder=folder, **json.loads((folder / REQUEST).read_bytes()))


def timing(windows: int, fires: Fires) -> list[tuple[int, str]]:
    """Window after window, as each closes: before which of them the model is fitted again, and why."""
    fitted, found = 0, []
    for w in range(1, windows):
        why = fires(w, fitted)
        if why is not None:
            fitted = w
            found.append((w, why))
    return found


def answer(version: str, trigger: Callable[[Given], Fires]) -> None:
    """Of a neighbour's program, whose one argument is the folder. A reason not to run is the last line on the standard error."""
    warnings.simplefilter("ignore")  # theirs, about their own dependencies
    given = read(Path(sys.argv[1]))
    try:
        refits = timing(len(given.bounds) - 1, trigger(given))
    except Exception as exc:  # noqa: BLE001 - whatever a neighbour raises is why its column has no figure
        sys.exit(f"{version}: {type(exc).__name__}: {' '.join(str(exc).split())[:300]}")
    (given.folder / DECISIONS).write_text(json.dumps({"version": version, "refits": refits}))
