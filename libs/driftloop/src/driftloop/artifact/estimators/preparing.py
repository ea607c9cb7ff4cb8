"""Estimators of other libraries before a fit: told the run's seed and threads, and asked whether they can be stored."""

from typing import Any

from driftloop.artifact.estimators.libraries import library_of
from driftloop.artifact.estimators.library import stored_parameters
from driftloop.artifact.tree_bounds import objects


def prepare(pipeline: Any, seed: int, threads: int) -> None:
    """Sets parameters in place; what the project has set itself stays, but for threads. Raises UserError, before hours of fitting, for a
    parameter that cannot be stored."""
    for estimator in list(objects(pipeline)):
        library = library_of(estimator)
        if library is not None:
            stored_parameters(library, estimator)
            estimator.set_params(**library.prepare(estimator, seed, threads))
