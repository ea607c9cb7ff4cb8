"""What a library has to tell so that its estimators can be stored, checked and loaded: one row of ``libraries.LIBRARIES``."""

import importlib
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from driftloop.contracts.estimator_files import missing
from driftloop.errors import IntegrityError, UserError

MAX_FEATURES = 100_000
PLAIN_TEXT = re.compile(r"[\w.,:+-]{0,200}", re.ASCII)  # no blanks, no slashes: "gbdt config=/etc/x" is two settings to who splits it
READABLE_TEXT = re.compile(r"[^\x00-\x1f\x7f/\\]{0,200}")  # for libraries that take each value as it is
_MAX_NESTING = 4


class Fitted(NamedTuple):
    """A fitted estimator as its library stores it. ``classes``: (n_classes,) of a classifier, None of a regressor."""

    data: bytes
    n_features: int
    classes: "npt.NDArray[Any] | None"

    @property
    def outputs(self) -> int:
        """How many numbers its trees give for a row: one, or one for each of three classes and more."""
        return len(self.classes) if self.classes is not None and len(self.classes) > 2 else 1


class Library(NamedTuple):
    """``name``: as in ``contracts.estimator_files``. ``parameters``: those of its estimators that are stored; none of them names a file, an
    address, a logger or a function. ``text``: what their words may look like.

    ``prepare``: parameters to set before a fit, from (estimator, seed, threads), so that it can be repeated. ``read``: what a fitted
    estimator is stored as. ``check``: raises IntegrityError unless its file keeps within itself, called before the library sees a byte.
    ``build``: a new estimator from (type, parameters, what was stored, threads), of checked bytes.
    """

    name: str
    types: tuple[str, ...]
    parameters: frozenset[str]
    text: re.Pattern[str]
    prepare: Callable[[Any, int, int], Mapping[str, Any]]
    read: Callable[[Any], Fitted]
    check: Callable[[Fitted], None]
    build: Callable[[type[Any], Mapping[str, Any], Fitted, int], Any]

    def type_named(self, name: str) -> type[Any]:
        """Raises IntegrityError for a type that is not one of ``types``, UserError when the library is not installed."""
        if name not in self.types:
            raise IntegrityError(f"the model file holds a {name[:80]!r} of {self.name}, which is none of {', '.join(self.types)}")
        found: type[Any] = getattr(imported(self.name), name)
        return found


def imported(module: str) -> Any:
    """Raises UserError when it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as exc:
        if exc.name != module:
            raise
        raise UserError(missing(module)) from exc


def stored_parameters(library: Library, estimator: Any) -> dict[str, Any]:
    """Those parameters that differ from the type's own defaults, as plain values. Raises UserError for one that cannot be stored."""
    kind = type(estimator).__name__
    defaults = type(estimator)().get_params()
    given = {name: value for name, value in estimator.get_params().items() if not _same(value, defaults.get(name, _NONE))}
    try:
        return {
            name: _plain(value, library.text, _MAX_NESTING) for name, value in sorted(given.items()) if _is_stored(library, name, value)
        }
    except ValueError as exc:
        raise UserError(f"a {kind} cannot be stored: {exc}") from exc


def checked_parameters(library: Library, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters from a file. Raises IntegrityError for one that ``stored_parameters`` would not have written."""
    try:
        if not all(_is_stored(library, name, value) for name, value in parameters.items()):
            raise ValueError("it sets its threads")
        return {name: _plain(value, library.text, _MAX_NESTING) for name, value in parameters.items()}
    except ValueError as exc:
        raise IntegrityError(f"the model file holds an estimator of {library.name} that is not to be loaded: {exc}") from exc


def scoring_threads() -> int:
    """As many as OpenMP's in this process: a service sets 1, a training process what its run has."""
    given = os.environ.get("OMP_NUM_THREADS", "1").split(",")[0]
    return int(given) if given.isdigit() and 0 < int(given) < 1000 else 1


_NONE = object()
# How many threads there are is the process's business, what is printed the developer's: neither is part of a model.
_LEFT_OUT = frozenset({"n_jobs", "thread_count", "verbose", "verbosity", "silent", "logging_level", "allow_writing_files", "metric_period"})


def _is_stored(library: Library, name: str, value: Any) -> bool:
    if name in _LEFT_OUT:
        return False
    if name not in library.parameters:
        raise ValueError(f"its parameter {name[:80]!r} is none of those that driftloop stores, see docs/estimators.md")
    if name in ("device", "device_type", "task_type") and str(value).lower() != "cpu":
        raise ValueError(f"its parameter {name} is {str(value)[:80]!r}: models are stored for the CPU")
    return True


def _plain(value: Any, text: re.Pattern[str], depth: int) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and np.isfinite(value):
        return value
    if isinstance(value, str) and text.fullmatch(value):
        return value
    if isinstance(value, list | tuple) and depth > 0:
        return [_plain(item, text, depth - 1) for item in value]
    if isinstance(value, dict) and depth > 0 and all(isinstance(key, str | int | bool | np.generic) for key in value):
        return {str(key): _plain(item, text, depth - 1) for key, item in value.items()}
    raise ValueError(f"{str(value)[:80]!r}, a {type(value).__name__}, is no plain number, word or list of them")


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float) and np.isnan(a) and np.isnan(b):
        return True
    return type(a) is type(b) and bool(np.all(a == b))
