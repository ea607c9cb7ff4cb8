"""A version made again in a folder of its own, which is gone afterwards."""

from collections.abc import Callable
from pathlib import Path

from driftloop.lineage.reproduction import Reproduction, found_version, reproduce
from driftloop.lineage.work_folder import work_folder
from driftloop.ports import ObjectStore
from driftloop.registry.state import ModelState
from driftloop.service.process import Stop
from driftloop.training.job import RunProgress

VersionProgress = Callable[[int, RunProgress], None]  # a version and what its training process has come to


def rebuilt(
    store: ObjectStore, model: ModelState, version: int, root: Path, *, compare_again: bool, on_progress: VersionProgress
) -> Reproduction:
    """``root``: where the folder is made. Raises as ``reproduce``."""
    found_version(model, version)
    with work_folder(root) as folder:
        return reproduce(
            store,
            model,
            version,
            folder,
            stop=Stop(),
            on_progress=lambda progress: on_progress(version, progress),
            compare_again=compare_again,
        )
