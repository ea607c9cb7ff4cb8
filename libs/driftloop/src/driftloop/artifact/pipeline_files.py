"""A fitted pipeline as files: the skops file, and beside it one for each estimator of another library, in that library's own format."""

from collections.abc import Mapping, Sequence
from typing import Any

from driftloop.artifact import skops_file
from driftloop.artifact.estimators.stored import put_in, take_out
from driftloop.contracts.estimator_files import SKOPS_FILE
from driftloop.errors import IntegrityError


def dump(pipeline: Any) -> dict[str, bytes]:
    """By name, SKOPS_FILE among them. The same pipeline gives the same bytes. Raises UserError for one that cannot be stored."""
    plain, files = take_out(pipeline)
    return {SKOPS_FILE: skops_file.dump(plain), **files}


def load(files: Mapping[str, bytes], trusted: Sequence[str] = ()) -> Any:
    """The pipeline in ``files``, as ``dump`` names them. Raises as ``skops_file.load`` and ``stored.put_in``."""
    if SKOPS_FILE not in files:
        raise IntegrityError(f"{SKOPS_FILE} is missing")
    plain = skops_file.load(files[SKOPS_FILE], trusted)
    return put_in(plain, {name: data for name, data in files.items() if name != SKOPS_FILE})
