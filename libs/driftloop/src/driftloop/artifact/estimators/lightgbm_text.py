"""LightGBM's text format, read by ourselves before LightGBM reads it: its reader follows offsets and indices without checking them."""

import re
from collections.abc import Iterator, Mapping

import msgspec
import numpy as np
import numpy.typing as npt

from driftloop.artifact.estimators.library import Fitted
from driftloop.contracts.typed import prepared
from driftloop.errors import IntegrityError

_INTEGERS = re.compile(r"(-?\d{1,18}( -?\d{1,18})*)?", re.ASCII)
_NUMBERS = re.compile(r"(-?(\d|inf|nan)[\d.e+-]{0,40}( -?(\d|inf|nan)[\d.e+-]{0,40})*)?", re.ASCII)
_OBJECTIVE = re.compile(r"([a-z_0-9]+)((?: [a-z_]+:[0-9.e+-]+)*)( sqrt)?", re.ASCII)
_HEADER = frozenset(
    "version num_class num_tree_per_iteration label_index max_feature_idx objective feature_names feature_infos tree_sizes"
    " monotone_constraints".split()
)
_OF_SPLITS = {"split_feature": True, "split_gain": False, "threshold": False, "decision_type": True, "left_child": True,
              "right_child": True, "internal_value": False, "internal_weight": False, "internal_count": True}  # fmt: skip
_OF_LEAVES = {"leaf_value": False, "leaf_weight": False, "leaf_count": True}
_OF_CATEGORIES = {"cat_boundaries": True, "cat_threshold": True}
_SCALARS = frozenset({"num_leaves", "num_cat", "is_linear", "shrinkage"})
_PARAMETERS = re.compile(r"\nparameters:\n.*?\nend of parameters\n+|\n+(?=\npandas_categorical:)", re.DOTALL)
_END = "end of trees\n"
_MAX_DIMENSIONS = 1 << 22  # nodes of a tree

Integers = npt.NDArray[np.int64]


def canonical(text: str) -> bytes:
    """Without the parameters of the fit, which scoring does not use: they name threads, files and machines."""
    return _PARAMETERS.sub("\n", text).encode()


def check(fitted: Fitted) -> None:
    """Raises IntegrityError unless each tree keeps within its nodes and the features, and all counts agree."""
    try:
        text = fitted.data.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise _bad("it is no text") from exc
    head, trees, tail = _parts(text)
    header = _header(head)
    n_classes = _integer(header, "num_class")
    if n_classes != fitted.outputs or _integer(header, "num_tree_per_iteration") != n_classes:
        raise _bad("it has another number of classes than its pipeline")
    if _integer(header, "max_feature_idx") != fitted.n_features - 1 or len(header.get("feature_names", "").split(" ")) != fitted.n_features:
        raise _bad("it has another number of features than its pipeline")
    if len(header.get("feature_infos", "").split(" ")) != fitted.n_features:
        raise _bad("it does not tell the range of each feature")
    _check_objective(header.get("objective", ""), n_classes, fitted)
    if not trees or len(trees) % n_classes:
        raise _bad("it does not have a tree for each class")
    for number, block in enumerate(trees):
        _check_tree(block, number, fitted.n_features)
    _check_tail(tail)


def _bad(what: str) -> IntegrityError:
    return IntegrityError(f"not a model of LightGBM that can be loaded: {what}")


def _parts(text: str) -> tuple[str, list[str], str]:
    """Header, trees, and what follows them. The trees are where the header says that they are, which is where LightGBM looks."""
    start, end = text.find("\nTree=0\n"), text.find(_END)
    if start < 0 or end < start or "\r" in text or "\0" in text:
        raise _bad("it has no trees, or no end")
    head = text[:start]
    sizes = _array(_header(head), "tree_sizes", integers=True).astype(np.int64)
    body = text[start + 1 : end].encode()
    if (sizes <= 0).any() or sizes.sum() != len(body):
        raise _bad("its trees are not where it says")
    ends = np.cumsum(sizes).tolist()
    blocks = [body[a:b].decode() for a, b in zip([0, *ends[:-1]], ends, strict=True)]
    return head, blocks, text[end + len(_END) :]


def _header(head: str) -> dict[str, str]:
    lines = head.split("\n")
    if lines[0] != "tree":
        raise _bad("it does not begin as one")
    found: dict[str, str] = {}
    for line in lines[1:]:
        if line in ("", "average_output"):
            continue
        name, _, value = line.partition("=")
        if name not in _HEADER or name in found:
            raise _bad(f"its header has a line {line[:40]!r}")
        found[name] = value
    if found.get("version") != "v4":
        raise _bad(f"it is of version {found.get('version', 'none')[:20]!r}, not v4")
    return found


def _check_objective(objective: str, n_classes: int, fitted: Fitted) -> None:
    """It turns the trees' sums into answers, for as many classes as it says itself."""
    found = _OBJECTIVE.fullmatch(objective)
    if found is None:
        raise _bad(f"it has an objective {objective[:60]!r}")
    settings = dict(part.split(":") for part in found[2].split())
    if settings.get("num_class", "1") != str(n_classes):
        raise _bad("its objective is for another number of classes")
    if (found[1] in ("binary", "multiclass", "multiclassova", "cross_entropy", "cross_entropy_lambda")) != (fitted.classes is not None):
        raise _bad(f"its objective {found[1]} is not for what its pipeline predicts")


def _check_tree(block: str, number: int, n_features: int) -> None:
    lines = block.split("\n")
    if lines[0] != f"Tree={number}":
        raise _bad(f"tree {number} is not where it says")
    values = dict(_pairs(lines[1:], number))
    leaves, categorical = _integer(values, "num_leaves"), _integer(values, "num_cat")
    if not 1 <= leaves <= _MAX_DIMENSIONS or not 0 <= categorical <= _MAX_DIMENSIONS:
        raise _bad(f"tree {number} has {leaves} leaves")
    if values.get("is_linear", "0") != "0":
        raise _bad(f"tree {number} is linear (linear_tree is not supported)")
    if not _NUMBERS.fullmatch(values.get("shrinkage", "1")):
        raise _bad(f"tree {number} shrinks by {values['shrinkage'][:20]!r}")
    splits = {name: _array(values, name, integers=whole) for name, whole in _OF_SPLITS.items() if leaves > 1 or name in values}
    of_leaves = {name: _array(values, name, integers=whole) for name, whole in _OF_LEAVES.items() if leaves > 1 or name in values}
    # a tree of one leaf has no weights and counts of it
    if any(len(array) != leaves - 1 for array in splits.values()) or "leaf_value" not in of_leaves:
        raise _bad(f"tree {number} has other splits than leaves")
    if any(len(array) not in ((leaves,) if leaves > 1 or name == "leaf_value" else (0, 1)) for name, array in of_leaves.items()):
        raise _bad(f"tree {number} has other leaves than it says")
    if leaves > 1:
        _check_splits(splits, leaves, number, n_features)
    _check_categories(values, splits, categorical, number)


def _pairs(lines: list[str], number: int) -> Iterator[tuple[str, str]]:
    seen = set()
    for line in lines:
        if line == "":
            continue
        name, _, value = line.partition("=")
        if (name not in _OF_SPLITS and name not in _OF_LEAVES and name not in _OF_CATEGORIES and name not in _SCALARS) or name in seen:
            raise _bad(f"tree {number} has a line {line[:40]!r}")
        seen.add(name)
        yield name, value


def _check_splits(splits: Mapping[str, "npt.NDArray[np.float64]"], leaves: int, number: int, n_features: int) -> None:
    features = splits["split_feature"]
    if (features < 0).any() or (features >= n_features).any():
        raise _bad(f"tree {number} points outside the features")
    parents = np.arange(leaves - 1)
    children = np.concatenate([splits["left_child"], splits["right_child"]]).astype(np.int64)
    inner, outer = children >= 0, children < 0
    # children come after their parent in every tree that LightGBM grows, so there is no cycle either
    if (children[inner] <= np.tile(parents, 2)[inner]).any() or (children[inner] >= leaves - 1).any() or (~children[outer] >= leaves).any():
        raise _bad(f"tree {number} points outside its nodes")
    kinds = splits["decision_type"].astype(np.int64)
    if (kinds < 0).any() or (kinds > 11).any():  # bits: categorical, default left, and how values are missing, 0 to 2
        raise _bad(f"tree {number} decides in a way that is not known")


def _check_categories(values: Mapping[str, str], splits: Mapping[str, "npt.NDArray[np.float64]"], count: int, number: int) -> None:
    by_category = splits["decision_type"].astype(np.int64) % 2 == 1 if len(splits.get("decision_type", ())) else np.zeros(0, bool)
    if count == 0:
        if by_category.any() or "cat_boundaries" in values:
            raise _bad(f"tree {number} points outside its categories")
        return
    bounds, bits = (_array(values, name, integers=True).astype(np.int64) for name in _OF_CATEGORIES)
    thresholds = splits["threshold"][by_category]
    fitting = len(bounds) == count + 1 and bounds[0] == 0 and (np.diff(bounds) >= 0).all() and bounds[-1] == len(bits)
    if not fitting or (bits < 0).any() or (bits > 0xFFFFFFFF).any():
        raise _bad(f"tree {number} has other categories than it says")
    if not np.isin(thresholds, np.arange(count)).all():
        raise _bad(f"tree {number} points outside its categories")


def _check_tail(tail: str) -> None:
    """Importances, which nobody reads, and the categories of the training data."""
    importances, marker, categories = tail.partition("\npandas_categorical:")
    for line in importances.split("\n"):
        if line not in ("", "feature_importances:") and not re.fullmatch(r"[^=\n]*=-?[\d.e+]+", line):
            raise _bad(f"it ends with a line {line[:40]!r}")
    if not marker:
        raise _bad("it does not tell the categories of its training data")
    try:
        msgspec.json.decode(categories.strip(), type=prepared(list[list[str | float | bool | None]] | None))
    except (msgspec.MsgspecError, RecursionError) as exc:
        raise _bad(f"the categories of its training data are not readable: {exc}") from exc


def _integer(values: Mapping[str, str], name: str) -> int:
    found = values.get(name, "")
    if not re.fullmatch(r"\d{1,9}", found, re.ASCII):
        raise _bad(f"it has {name} {found[:20]!r}")
    return int(found)


def _array(values: Mapping[str, str], name: str, *, integers: bool) -> "npt.NDArray[np.float64]":
    text = values.get(name)
    if text is None or not (_INTEGERS if integers else _NUMBERS).fullmatch(text):
        raise _bad(f"its {name} are not numbers")
    try:
        return np.array([float(part) for part in text.split()], dtype=np.float64)
    except ValueError as exc:
        raise _bad(f"its {name} are not numbers") from exc
