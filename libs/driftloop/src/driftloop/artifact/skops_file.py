"""The model file: a skops archive whose bytes depend on the model only, read with suspicion. No pickle is ever loaded.

A plain skops dump differs from process to process: ids are memory addresses, files are named by them, zip entries carry
the time. Here ids and names are numbered in order of appearance and the times are fixed.
"""

import io
import json
import warnings
import zipfile
from collections.abc import Sequence
from typing import Any

from skops.io import dumps, get_untrusted_types, loads

from driftloop.artifact.archive_limits import check_archive
from driftloop.artifact.composition import check_composition
from driftloop.artifact.estimators.libraries import BY_NAME
from driftloop.artifact.tree_bounds import check_trees
from driftloop.errors import IntegrityError, UserError

SCHEMA = "schema.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)

# What skops does not trust by itself and every project may use. The two tree types hold indices that scikit-learn follows
# unchecked, so `check_trees` checks them; the function is what HistGradientBoosting with categories validates with. Ours are
# what a recipe of several fits makes, what stands for an estimator of another library, and what names a classifier's classes.
TRUSTED = (
    "driftloop.artifact.composition.Composition",
    "driftloop.artifact.estimators.stored.StoredEstimator",
    "driftloop.artifact.named_classes.NamedClasses",
    "functools.partial",
    "numpy.dtype",
    "sklearn.compose._column_transformer._RemainderColsList",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
)


class UntrustedTypes(IntegrityError):
    """The file names types outside the allow-list; nothing of it was loaded."""

    def __init__(self, types: Sequence[str]) -> None:
        super().__init__(f"the model file holds types that are not trusted: {', '.join(types)}")
        self.types = tuple(types)


def dump(pipeline: Any) -> bytes:
    """The canonical bytes of a fitted pipeline. Raises UserError for one that skops cannot store."""
    try:
        plain = dumps(pipeline)
    except Exception as exc:  # a stranger's class may refuse in any way
        raise UserError(f"skops cannot store the pipeline: {exc}") from exc
    return _canonical(plain)


def load(data: bytes, trusted: Sequence[str] = ()) -> Any:
    """The pipeline in ``data``.

    ``trusted`` are full names of the project's own classes, beside the fixed allow-list; those of the libraries that have files of their
    own are never trusted. Raises IntegrityError, and
    UntrustedTypes before anything is built; size, ratio and number of entries are capped before anything is unpacked.
    """
    allowed = [*TRUSTED, *(name for name in trusted if name.partition(".")[0] not in BY_NAME)]
    check_archive(data)
    try:
        types = sorted(set(get_untrusted_types(data=data)) - set(allowed))
        if types:
            raise UntrustedTypes(types)
        with warnings.catch_warnings():
            # another scikit-learn than the one that stored it: the pins say which, and a warning stops nobody
            warnings.filterwarnings("ignore", category=UserWarning, module="sklearn")
            pipeline = loads(data, trusted=allowed)
        check_trees(pipeline)
        check_composition(pipeline)
    except IntegrityError:
        raise
    except Exception as exc:  # skops and numpy raise whatever hostile bytes provoke
        raise IntegrityError(f"not a readable model file: {type(exc).__name__}: {exc}") from exc
    return pipeline


def types_in(data: bytes) -> frozenset[str]:
    """Full names of all types and functions that a file of ours refers to."""
    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if "__class__" in value and "__module__" in value:
                found.add(f"{value['__module__']}.{value['__class__']}")
            for child in value.values():
                walk(child)
        elif isinstance(value, list):
            for child in value:
                walk(child)

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        walk(json.loads(archive.read(SCHEMA)))
    return frozenset(found)


def _canonical(plain: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(plain)) as archive:
        schema = json.loads(archive.read(SCHEMA))
        numbering = _Numbering()
        numbering.renumber(schema)
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as canonical:
            for name, number in numbering.files.items():
                canonical.writestr(_entry(_numbered(name, number)), archive.read(name))
            canonical.writestr(_entry(SCHEMA), json.dumps(schema, separators=(",", ":")))
    return out.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.create_system = 3  # else the platform's number is written
    return info


def _numbered(name: str, number: int) -> str:
    return f"{number}.{name.rpartition('.')[2]}"


class _Numbering:
    """Numbers from 1 for ids and files in order of appearance (0 would be no id to skops)."""

    def __init__(self) -> None:
        self.ids: dict[int, int] = {}
        self.files: dict[str, int] = {}

    def renumber(self, value: Any) -> None:
        if isinstance(value, list):
            for child in value:
                self.renumber(child)
        elif isinstance(value, dict):
            self._renumber_node(value)

    def _renumber_node(self, node: dict[str, Any]) -> None:
        loader = node.get("__loader__")
        if loader == "SetNode":  # its order follows the hash seed
            node["content"].sort(key=_without_identity)
        if loader == "JsonNode":  # scalars: whether equal ones are one object depends on interning
            node.pop("__id__", None)
        elif "__id__" in node:
            node["__id__"] = self.ids.setdefault(node["__id__"], len(self.ids) + 1)
        if loader is not None and isinstance(node.get("file"), str):
            number = self.files.setdefault(node["file"], len(self.files) + 1)
            node["file"] = _numbered(node["file"], number)
        for child in node.values():
            self.renumber(child)


def _without_identity(value: Any) -> str:
    def strip(item: Any) -> Any:
        if isinstance(item, dict):
            return {k: strip(v) for k, v in item.items() if k not in ("__id__", "file")}
        return [strip(child) for child in item] if isinstance(item, list) else item

    return json.dumps(strip(value), sort_keys=True)
