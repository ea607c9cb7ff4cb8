"""Trees in a loaded model follow stored indices without checking them: a crafted file could read beyond its arrays.

skops therefore trusts neither tree type; we trust both and check every index before the first prediction.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import BaseHistGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.tree import BaseDecisionTree
from sklearn.tree._tree import Tree

from driftloop.errors import IntegrityError


def check_trees(model: Any) -> None:
    """Raises IntegrityError when an index in any tree of ``model`` points outside."""
    owned: set[int] = set()
    trees: list[Tree | TreePredictor] = []
    for value in objects(model):
        if isinstance(value, BaseHistGradientBoosting):
            owned |= _check_boosting(value)
        elif isinstance(value, BaseDecisionTree) and hasattr(value, "tree_"):
            _check_tree(value.tree_, int(value.n_features_in_))
            owned.add(id(value.tree_))
        elif isinstance(value, Tree | TreePredictor):
            trees.append(value)
        if isinstance(value, BaseEstimator):
            _check_same_width(value)
    if any(id(tree) not in owned for tree in trees):
        raise IntegrityError("the model file holds a tree outside an estimator that is known to use it")


def _check_boosting(model: BaseHistGradientBoosting) -> set[int]:
    checked = set()
    n_features = int(model.n_features_in_)
    categorical = np.zeros(n_features, dtype=bool)
    categories = getattr(model._bin_mapper, "is_categorical_", None)
    if categories is not None:
        categorical |= np.asarray(categories, dtype=bool)
    for iteration in model._predictors:
        for predictor in iteration:
            _check_predictor(predictor, n_features, categorical)
            checked.add(id(predictor))
    return checked


def _check_predictor(predictor: TreePredictor, n_features: int, categorical: "np.ndarray[Any, Any]") -> None:
    nodes = predictor.nodes
    split = np.flatnonzero(nodes["is_leaf"] == 0)
    inner = nodes[split]
    _check_children(split, inner["left"], inner["right"], len(nodes))
    _check_features(inner["feature_idx"], n_features)
    by_category = inner[inner["is_categorical"] != 0]
    if len(by_category):
        bitsets = predictor.raw_left_cat_bitsets
        if bitsets.ndim != 2 or bitsets.shape[1] != 8 or (by_category["bitset_idx"] >= len(bitsets)).any():
            raise IntegrityError("the model file holds a tree that points outside its categories")
        if not categorical[by_category["feature_idx"]].all():
            raise IntegrityError("the model file holds a tree that splits a number by category")


def _check_tree(tree: Tree, n_features: int) -> None:
    split = np.flatnonzero(tree.children_left != -1)
    _check_children(split, tree.children_left[split], tree.children_right[split], tree.node_count)
    _check_features(tree.feature[split], n_features)


def _check_children(parents: Any, left: Any, right: Any, n_nodes: int) -> None:
    """Children come after their parent in every tree that scikit-learn grows, so there is no cycle either."""
    if n_nodes == 0:
        raise IntegrityError("the model file holds a tree without nodes")
    for children in (left.astype(np.int64), right.astype(np.int64)):
        if (children <= parents).any() or (children >= n_nodes).any():
            raise IntegrityError("the model file holds a tree that points outside its nodes")


def _check_features(features: Any, n_features: int) -> None:
    if (features.astype(np.int64) < 0).any() or (features.astype(np.int64) >= n_features).any():
        raise IntegrityError("the model file holds a tree that points outside the features")


def _check_same_width(model: BaseEstimator) -> None:
    """Forests and gradient boosting hand their input to their trees unchecked."""
    trees = getattr(model, "estimators_", None)
    if trees is None or getattr(model, "estimators_features_", None) is not None:
        return
    for tree in np.asarray(trees, dtype=object).ravel():
        if isinstance(tree, BaseDecisionTree) and tree.n_features_in_ != model.n_features_in_:
            raise IntegrityError("the model file holds a tree of another width than its forest")


def objects(root: Any) -> Iterator[Any]:
    """Everything reachable from ``root``, each once."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        value = waiting.pop()
        if id(value) in seen or isinstance(value, str | bytes | int | float | type(None)):
            continue
        seen.add(id(value))
        yield value
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple | set) or (isinstance(value, np.ndarray) and value.dtype == object):
            waiting += list(value.ravel()) if isinstance(value, np.ndarray) else list(value)
        elif hasattr(value, "__dict__") and not isinstance(value, type):
            waiting += vars(value).values()
