"""Estimators of the libraries that store their own, for each kind of target, and rows to fit them on."""

import copy
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from driftloop.artifact.estimators.preparing import prepare

N = 400


def rows(n: int = N) -> pd.DataFrame:
    """Numbers, some missing, and a category."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"price": rng.normal(size=n), "weight": rng.normal(size=n)})
    frame.loc[rng.random(n) < 0.1, "price"] = np.nan
    return frame.assign(colour=pd.Categorical(rng.choice(["red", "green", "blue"], n)))


class Case(NamedTuple):
    name: str
    estimator: Any
    frame: pd.DataFrame
    labels: "np.ndarray[Any, Any]"

    def fitted(self, seed: int = 3, threads: int = 1) -> Any:
        """Another one like it, fitted as a training run does."""
        model = copy.deepcopy(self.estimator)  # scikit-learn cannot clone one of CatBoost with a list
        prepare(model, seed, threads)
        return model.fit(self.frame, self.labels)


def labels(frame: pd.DataFrame, target: str) -> "np.ndarray[Any, Any]":
    noise = np.random.default_rng(6).normal(size=len(frame))
    value = frame["price"].fillna(0) + (frame["colour"] == "red") + noise
    if target == "binary":
        return (value > 0.5).to_numpy()
    if target == "multiclass":
        return np.where(value > 1, "often", np.where(value > 0, "sometimes", "never"))
    return value.to_numpy()


def cases(library: str) -> list[Case]:
    """One for each kind of target, and what else their formats have."""
    frame = rows()
    made = {"lightgbm": _lightgbm, "xgboost": _xgboost, "catboost": _catboost}[library]()
    return [Case(f"{library}-{n}-{target}", model, frame, _coded(library, labels(frame, target))) for n, (target, model) in enumerate(made)]


def _coded(library: str, found: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """XGBoost's classifiers take numbers; ``NamedClasses`` is tested by itself."""
    return np.unique(found, return_inverse=True)[1] if library == "xgboost" and found.dtype.kind == "U" else found


def _lightgbm() -> list[tuple[str, Any]]:
    from lightgbm import LGBMClassifier, LGBMRegressor

    return [
        ("binary", LGBMClassifier(n_estimators=8, num_leaves=7, min_child_samples=5)),
        ("multiclass", LGBMClassifier(n_estimators=5, num_leaves=5, class_weight="balanced")),
        ("regression", LGBMRegressor(n_estimators=8, num_leaves=7, objective="quantile", alpha=0.3)),
        ("binary", LGBMClassifier(n_estimators=2, min_child_samples=10_000)),  # trees of one leaf
    ]


def _xgboost() -> list[tuple[str, Any]]:
    from xgboost import XGBClassifier, XGBRegressor

    return [
        ("binary", XGBClassifier(n_estimators=8, max_depth=3, enable_categorical=True, max_cat_to_onehot=1)),
        ("multiclass", XGBClassifier(n_estimators=5, max_depth=3, enable_categorical=True)),
        ("regression", XGBRegressor(n_estimators=8, max_depth=3, enable_categorical=True, grow_policy="lossguide")),
    ]


def _catboost() -> list[tuple[str, Any]]:
    from catboost import CatBoostClassifier, CatBoostRegressor

    categories = {"cat_features": ["colour"]}
    return [
        ("binary", CatBoostClassifier(iterations=8, depth=4, **categories)),
        ("multiclass", CatBoostClassifier(iterations=5, depth=3, grow_policy="Lossguide", **categories)),
        ("regression", CatBoostRegressor(iterations=8, depth=4, one_hot_max_size=5, **categories)),
        ("multiclass", CatBoostClassifier(iterations=5, loss_function="MultiClassOneVsAll", max_ctr_complexity=2, **categories)),
    ]
