"""The libraries whose estimators are stored in formats of their own: a row each."""

import sys
from typing import Any

from driftloop.artifact.estimators.library import Library
from driftloop.artifact.estimators.of_catboost import CATBOOST
from driftloop.artifact.estimators.of_lightgbm import LIGHTGBM
from driftloop.artifact.estimators.of_xgboost import XGBOOST

LIBRARIES = (LIGHTGBM, XGBOOST, CATBOOST)
BY_NAME = {library.name: library for library in LIBRARIES}


def library_of(value: Any) -> Library | None:
    """The library that ``value`` is an estimator of; None for all else. Imports none."""
    module = type(value).__module__.partition(".")[0]
    library = BY_NAME.get(module)
    if library is None or type(value).__name__ not in library.types:
        return None
    return library if type(value) is getattr(sys.modules.get(module), type(value).__name__, None) else None
