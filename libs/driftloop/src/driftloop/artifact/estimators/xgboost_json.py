"""XGBoost's JSON format, decoded, checked and written again by ourselves: XGBoost reads only what we have written."""

import itertools
from typing import Any

import msgspec
import numpy as np

from driftloop.artifact.estimators.library import MAX_FEATURES, Fitted
from driftloop.contracts.typed import prepared
from driftloop.errors import IntegrityError

_NO_PARENT = 2147483647


class _Strict(msgspec.Struct, forbid_unknown_fields=True):
    pass


class _TreeParam(_Strict):
    num_deleted: str
    num_feature: str
    num_nodes: str
    size_leaf_vector: str


class _Tree(_Strict):
    base_weights: list[float]
    categories: list[int]
    categories_nodes: list[int]
    categories_segments: list[int]
    categories_sizes: list[int]
    default_left: list[int]
    id: int
    left_children: list[int]
    loss_changes: list[float]
    parents: list[int]
    right_children: list[int]
    split_conditions: list[float]
    split_indices: list[int]
    split_type: list[int]
    sum_hessian: list[float]
    tree_param: _TreeParam


class _Coded(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """The categories of one feature: texts one behind the other, or numbers of a type."""

    offsets: list[int] | msgspec.UnsetType = msgspec.UNSET
    values: list[int] | msgspec.UnsetType = msgspec.UNSET
    type: int | msgspec.UnsetType = msgspec.UNSET


class _Categories(_Strict):
    enc: list[_Coded]
    feature_segments: list[int]
    sorted_idx: list[int]


class _ForestParam(_Strict):
    num_parallel_tree: str
    num_trees: str


class _Forest(_Strict):
    cats: _Categories
    gbtree_model_param: _ForestParam
    iteration_indptr: list[int]
    tree_info: list[int]
    trees: list[_Tree]


class _Booster(_Strict):
    model: _Forest
    name: str


class _LearnerParam(_Strict):
    base_score: str
    boost_from_average: str
    num_class: str
    num_feature: str
    num_target: str


class _Learner(_Strict):
    attributes: dict[str, str]
    feature_names: list[str]
    feature_types: list[str]
    gradient_booster: _Booster
    learner_model_param: _LearnerParam
    objective: dict[str, str | dict[str, str]]


class _Model(_Strict):
    learner: _Learner
    version: list[int]


def canonical(data: bytes) -> bytes:
    """The same model as this module writes it. Raises IntegrityError for what is not one of trees with plain splits."""
    return msgspec.json.encode(_decoded(data))


def check(fitted: Fitted) -> None:
    """Raises IntegrityError unless each tree keeps within its nodes, features and categories, and all counts agree."""
    model = _decoded(fitted.data)
    if msgspec.json.encode(model) != fitted.data:
        raise _bad("it is written in another way than driftloop writes it")
    learner, forest = model.learner, model.learner.gradient_booster.model
    if learner.gradient_booster.name != "gbtree":
        raise _bad(f"its booster {learner.gradient_booster.name[:20]!r} is not gbtree")
    _check_parameters(learner, fitted)
    _check_forest(forest, fitted)
    coded = _check_categories(forest.cats, learner.feature_types, fitted.n_features)
    for number, tree in enumerate(forest.trees):
        _check_tree(tree, number, fitted.n_features, coded)


def _bad(what: str) -> IntegrityError:
    return IntegrityError(f"not a model of XGBoost that can be loaded: {what}")


def _decoded(data: bytes) -> _Model:
    try:
        return msgspec.json.decode(data, type=prepared(_Model))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise _bad(str(exc)[:200]) from exc


def _check_parameters(learner: _Learner, fitted: Fitted) -> None:
    found = learner.learner_model_param
    if found.num_feature != str(fitted.n_features) or not 0 < fitted.n_features <= MAX_FEATURES:
        raise _bad("it has another number of features than its pipeline")
    names, types = learner.feature_names, learner.feature_types
    if len(names) not in (0, fitted.n_features) or len(types) not in (0, fitted.n_features):
        raise _bad("it does not name each feature")
    if found.num_class != str(fitted.outputs if fitted.outputs > 1 else 0) or found.num_target != "1":
        raise _bad("it has another number of classes than its pipeline")
    scores = found.base_score.strip("[]").split(",")
    try:
        finite = all(np.isfinite(float(score)) for score in scores)
    except ValueError:
        finite = False
    if not finite or len(scores) not in (1, fitted.outputs):
        raise _bad("its first score is no number")
    objective = learner.objective
    name = objective.get("name")
    several = isinstance(name, str) and name.startswith("multi:")
    if not isinstance(name, str) or several != (fitted.outputs > 1) or name.startswith(("rank:", "survival:")):
        raise _bad(f"its objective {str(name)[:40]!r} is not for what its pipeline predicts")
    softmax = objective.get("softmax_multiclass_param")
    if several and softmax != {"num_class": str(fitted.outputs)}:
        raise _bad("its objective is for another number of classes")
    if set(learner.attributes) - {"best_iteration", "best_score", "scikit_learn"}:
        raise _bad("it has attributes of somebody's own")
    if not learner.attributes.get("best_iteration", "0").isdigit():
        raise _bad("its best iteration is no number")


def _check_forest(forest: _Forest, fitted: Fitted) -> None:
    trees = len(forest.trees)
    if trees == 0 or forest.gbtree_model_param.num_trees != str(trees) or len(forest.tree_info) != trees:
        raise _bad("it has other trees than it says")
    if not forest.gbtree_model_param.num_parallel_tree.isdigit() or not 0 < int(forest.gbtree_model_param.num_parallel_tree) <= trees:
        raise _bad("it has other trees than it says")
    if any(not 0 <= group < fitted.outputs for group in forest.tree_info):
        raise _bad("a tree is of a class that there is not")
    bounds = forest.iteration_indptr
    if not bounds or bounds[0] != 0 or bounds[-1] != trees or any(a > b for a, b in itertools.pairwise(bounds)):
        raise _bad("its rounds are not where it says")


def _check_categories(cats: _Categories, types: list[str], n_features: int) -> list[int]:
    """For each feature how many categories it has; 0 for one that has none."""
    if not cats.enc:
        if cats.feature_segments or cats.sorted_idx or "c" in types:
            raise _bad("its categories are missing")
        return [0] * n_features
    counts = []
    for coded in cats.enc:
        offsets, values = coded.offsets or [], coded.values or []
        if coded.type is not msgspec.UNSET:
            raise _bad("it has categories that are no texts")
        if (len(offsets) == 1) or (offsets and (offsets[0] != 0 or offsets[-1] != len(values))) or (not offsets and values):
            raise _bad("its categories are not where it says")
        if any(a > b for a, b in itertools.pairwise(offsets)) or any(not -128 <= value <= 255 for value in values):
            raise _bad("its categories are not where it says")
        counts.append(max(len(offsets) - 1, 0))
    segments = np.cumsum([0, *counts]).tolist()
    if len(counts) != n_features or cats.feature_segments != segments or len(cats.sorted_idx) != segments[-1]:
        raise _bad("it has other categories than features")
    for start, end in itertools.pairwise(segments):
        if sorted(cats.sorted_idx[start:end]) not in (list(range(end - start)), list(range(start, end))):
            raise _bad("its categories are not in an order")
    return counts


def _check_tree(tree: _Tree, number: int, n_features: int, coded: list[int]) -> None:
    n = len(tree.left_children)
    param = tree.tree_param
    arrays: list[list[Any]] = [
        tree.right_children, tree.parents, tree.split_conditions, tree.split_indices, tree.split_type,
        tree.default_left, tree.base_weights, tree.loss_changes, tree.sum_hessian,
    ]  # fmt: skip
    if n == 0 or param.num_nodes != str(n) or any(len(array) != n for array in arrays):
        raise _bad(f"tree {number} has other nodes than it says")
    if (
        (param.num_deleted, param.size_leaf_vector) not in (("0", "1"), ("0", "0"))
        or param.num_feature != str(n_features)
        or tree.id != number
    ):
        raise _bad(f"tree {number} is not one of plain splits")
    try:
        left, right = np.array(tree.left_children, np.int64), np.array(tree.right_children, np.int64)
        features, kinds = np.array(tree.split_indices, np.int64), np.array(tree.split_type, np.int64)
        parents = np.array(tree.parents, np.int64)
    except OverflowError as exc:
        raise _bad(f"tree {number} points outside its nodes") from exc
    split, place = left != -1, np.arange(n)
    if ((right != -1) != split).any():
        raise _bad(f"tree {number} has half a split")
    for children in (left[split], right[split]):
        # children come after their parent in every tree that XGBoost grows, so there is no cycle either
        if (children <= place[split]).any() or (children >= n).any() or (parents[children[children < n]] != place[split]).any():
            raise _bad(f"tree {number} points outside its nodes")
    if parents[0] != _NO_PARENT or (features[split] < 0).any() or (features[split] >= n_features).any():
        raise _bad(f"tree {number} points outside the features")
    if not np.isin(kinds, (0, 1)).all() or not np.isin(tree.default_left, (0, 1)).all():
        raise _bad(f"tree {number} decides in a way that is not known")
    _check_split_categories(tree, number, np.flatnonzero(split & (kinds == 1)).tolist(), coded)


def _check_split_categories(tree: _Tree, number: int, nodes: list[int], coded: list[int]) -> None:
    sizes = tree.categories_sizes
    starts = np.cumsum([0, *sizes]).tolist()
    fitting = tree.categories_nodes == nodes and len(sizes) == len(nodes) and tree.categories_segments == starts[:-1]
    if not fitting or any(size < 0 for size in sizes) or starts[-1] != len(tree.categories):
        raise _bad(f"tree {number} has other categories than it says")
    for node, start, end in zip(nodes, starts, starts[1:], strict=False):
        count = coded[tree.split_indices[node]]
        if any(not 0 <= category < count for category in tree.categories[start:end]):
            raise _bad(f"tree {number} points outside its categories")
