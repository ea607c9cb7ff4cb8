"""XGBoost: stored as its JSON model, as we write it. Its classifiers number their classes; ``NamedClasses`` names them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from driftloop.artifact.estimators import xgboost_json
from driftloop.artifact.estimators.library import READABLE_TEXT, Fitted, Library

_PARAMETERS = frozenset(
    "n_estimators max_depth max_leaves max_bin grow_policy learning_rate objective tree_method gamma min_child_weight max_delta_step"
    " subsample sampling_method colsample_bytree colsample_bylevel colsample_bynode reg_alpha reg_lambda scale_pos_weight base_score"
    " num_parallel_tree random_state monotone_constraints interaction_constraints importance_type device validate_parameters"
    " enable_categorical feature_types feature_weights max_cat_to_onehot max_cat_threshold eval_metric early_stopping_rounds booster"
    " quantile_alpha tweedie_variance_power huber_slope missing".split()
)


def _prepare(estimator: Any, seed: int, threads: int) -> Mapping[str, Any]:
    found: dict[str, Any] = {"n_jobs": threads}
    if estimator.get_params().get("random_state") is None:
        found["random_state"] = seed
    return found


def _read(estimator: Any) -> Fitted:
    booster = estimator.get_booster()
    classes = np.asarray(estimator.classes_) if hasattr(estimator, "predict_proba") else None
    return Fitted(xgboost_json.canonical(bytes(booster.save_raw("json"))), int(booster.num_features()), classes)


def _build(kind: type[Any], parameters: Mapping[str, Any], fitted: Fitted, threads: int) -> Any:
    estimator = kind(**parameters, n_jobs=threads)
    given = vars(estimator).copy()
    estimator.load_model(bytearray(fitted.data))
    vars(estimator).update(given)  # loading sets parameters that the model tells of
    return estimator


XGBOOST = Library(
    name="xgboost",
    types=("XGBClassifier", "XGBRegressor"),
    parameters=_PARAMETERS,
    prepare=_prepare,
    text=READABLE_TEXT,
    read=_read,
    check=xgboost_json.check,
    build=_build,
)
