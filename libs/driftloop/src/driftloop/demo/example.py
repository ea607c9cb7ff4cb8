"""The project that the demo runs: ``examples/flights`` of the repository."""

import re
import shutil
from pathlib import Path

from driftloop.errors import UserError
from driftloop.project.model import CONFIG_FILE, PIPELINE_FILE

FOLDER = Path("examples") / "flights"
DATA = Path("data") / "nyc.parquet"
N_WINDOWS, HISTORY_WINDOWS = 20, 2  # of the year; the first ones are published before there is a model


def example_folder() -> Path:
    """In the current directory or in the clone that this module belongs to."""
    for root in (Path.cwd(), *Path(__file__).parents):
        if (root / FOLDER / CONFIG_FILE).is_file():
            return root / FOLDER
    raise UserError(f"{FOLDER} is not here: run the demo in a clone of the driftloop repository")


def with_seed(source: Path, target: Path, seed: int | None) -> Path:
    """A copy of the project whose trainings take another seed; a seed of None leaves the project as it is."""
    if seed is None:
        return source
    target.mkdir()
    shutil.copy(source / PIPELINE_FILE, target)
    text, changed = re.subn(r"(?m)^seed = \d+$", f"seed = {seed}", (source / CONFIG_FILE).read_text(encoding="utf-8"))
    if changed != 1:
        raise UserError(f"{source / CONFIG_FILE} has no line `seed = …`, so --seed cannot change it")
    (target / CONFIG_FILE).write_text(text, encoding="utf-8")
    return target
