"""Estimators taken out of a pipeline before it is stored, each as a file of its library's own, and put in again when it is loaded.

In the skops file a StoredEstimator stands in the place of each: plain data, checked before anything is built of it.
"""

import copy
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from sklearn.base import BaseEstimator

from driftloop.artifact.estimators.libraries import BY_NAME, library_of
from driftloop.artifact.estimators.library import MAX_FEATURES, Fitted, checked_parameters, scoring_threads, stored_parameters
from driftloop.artifact.tree_bounds import objects
from driftloop.contracts.estimator_files import file_name, format_of, format_of_file
from driftloop.contracts.names import Digest
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Part
from driftloop.errors import IntegrityError, UserError
from driftloop.stored import mismatch, sha256_of

MAX_ESTIMATORS = 100
MAX_ABOUT_BYTES = 1024 * 1024


class StoredEstimator(BaseEstimator):  # type: ignore[misc]
    """``about``: JSON, of an ``_About``."""

    def __init__(self, about: str) -> None:
        self.about = about

    def predict(self, X: Any) -> Any:
        """Raises TypeError: it stands where something that predicts will be put."""
        raise TypeError("an estimator's file is not put in yet")


class _Model(Part, frozen=True, kw_only=True):
    """A fitted one: its file, and what the file has to agree with."""

    file: str
    sha256: Digest
    n_features: int
    classes: tuple[bool | int | float | str, ...] | None


class _About(Part, frozen=True, kw_only=True):
    library: str
    type: str
    parameters: dict[str, Any]
    fitted: _Model | None


def take_out(pipeline: Any) -> tuple[Any, dict[str, bytes]]:
    """The pipeline with StoredEstimators, and the files by name; itself and none when it has no such estimator.

    ``pipeline`` is left as it is. Raises UserError for an estimator that cannot be stored.
    """
    found = [value for value in objects(pipeline) if library_of(value) is not None]
    if not found:
        return pipeline, {}
    if len(found) > MAX_ESTIMATORS:
        raise UserError(f"the pipeline holds {len(found)} estimators of other libraries, more than {MAX_ESTIMATORS}")
    files: dict[str, bytes] = {}
    standing: dict[int, Any] = {}  # as deepcopy's memo: what it has copied already, by id
    for estimator in found:
        about = _described(estimator, files)
        standing[id(estimator)] = StoredEstimator(msgspec.json.encode(about, order="deterministic").decode())
    return copy.deepcopy(pipeline, standing), files


def put_in(pipeline: Any, files: Mapping[str, bytes]) -> Any:
    """The pipeline with estimators in the places of its StoredEstimators, made of ``files``; itself when it has none.

    Each scores with as many threads as this process has set for OpenMP. Raises IntegrityError when a file is missing, superfluous, too
    large, not the one that was stored, or points outside itself; UserError when its library is not installed.
    """
    found = [value for value in objects(pipeline) if isinstance(value, StoredEstimator)]
    if not found and not files:
        return pipeline
    if len(found) > MAX_ESTIMATORS:
        raise IntegrityError(f"the model file holds {len(found)} estimators of other libraries, more than {MAX_ESTIMATORS}")
    described = [_read(estimator) for estimator in found]
    named = [about.fitted.file for about in described if about.fitted is not None]
    if sorted(named) != sorted(files):
        raise IntegrityError(
            f"the model file needs the files {', '.join(sorted(named)) or 'none'}, and has {', '.join(sorted(files)) or 'none'}"
        )
    built = {id(estimator): _built(about, files) for estimator, about in zip(found, described, strict=True)}
    return copy.deepcopy(pipeline, built)


def _described(estimator: Any, files: dict[str, bytes]) -> _About:
    library = library_of(estimator)
    assert library is not None
    parameters = stored_parameters(library, estimator)
    model = None
    if _is_fitted(estimator):
        fitted = library.read(estimator)
        most = format_of(library.name).max_bytes
        if len(fitted.data) > most:
            raise UserError(f"the model of {library.name} has {len(fitted.data)} bytes, more than {most}: fit fewer or smaller trees")
        try:
            library.check(fitted)
        except IntegrityError as exc:
            raise UserError(f"a {type(estimator).__name__} cannot be stored: {exc}") from exc
        name = file_name(library.name, len(files) + 1)
        files[name] = fitted.data
        classes = None if fitted.classes is None else tuple(fitted.classes.tolist())
        model = _Model(file=name, sha256=sha256_of(fitted.data), n_features=fitted.n_features, classes=classes)
    return _About(library=library.name, type=type(estimator).__name__, parameters=parameters, fitted=model)


def _is_fitted(estimator: Any) -> bool:
    asked = getattr(estimator, "is_fitted", None) or estimator.__sklearn_is_fitted__
    return bool(asked())


def _read(estimator: StoredEstimator) -> _About:
    about = vars(estimator).get("about")
    if not isinstance(about, str) or len(about) > MAX_ABOUT_BYTES or set(vars(estimator)) != {"about"}:
        raise IntegrityError("the model file holds an estimator that says nothing of itself")
    try:
        found = msgspec.json.decode(about, type=prepared(_About))
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
        raise IntegrityError(f"the model file holds an estimator that is not readable: {exc}") from exc
    library = BY_NAME.get(found.library)
    if library is None or found.type not in library.types:
        raise IntegrityError(f"the model file holds a {found.type[:40]!r} of {found.library[:40]!r}, which driftloop does not load")
    if found.fitted is not None and format_of_file(found.fitted.file) is not format_of(library.name):
        raise IntegrityError(f"the model file holds a {found.type} in a file {found.fitted.file[:40]!r}")
    return found


def _built(about: _About, files: Mapping[str, bytes]) -> Any:
    library = BY_NAME[about.library]
    parameters, kind = checked_parameters(library, about.parameters), library.type_named(about.type)
    if about.fitted is None:
        return kind(**parameters)
    data = files[about.fitted.file]
    if len(data) > (most := format_of(library.name).max_bytes):
        raise IntegrityError(f"{about.fitted.file} has {len(data)} bytes, more than {most}")
    problem = mismatch(about.fitted.file, data, about.fitted.sha256)
    if problem is not None:
        raise IntegrityError(f"{about.fitted.file} is not the file that was stored with its pipeline: {problem}")
    classes = about.fitted.classes
    if not 0 < about.fitted.n_features <= MAX_FEATURES or (classes is not None and len({type(c) for c in classes}) != 1):
        raise IntegrityError(f"the model file holds a {about.type} without features, or with classes of several types")
    if classes is not None and (len(classes) < 2 or list(classes) != sorted(set(classes))):
        raise IntegrityError(f"the model file holds a {about.type} whose classes are not in order")
    fitted = Fitted(data, about.fitted.n_features, None if classes is None else np.asarray(classes))
    library.check(fitted)
    try:
        return library.build(kind, parameters, fitted, scoring_threads())
    except UserError:
        raise
    except Exception as exc:  # the library's own errors, of whatever type
        raise IntegrityError(f"{about.fitted.file} cannot be loaded by {library.name}: {type(exc).__name__}: {str(exc)[:200]}") from exc
