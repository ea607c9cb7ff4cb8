"""LightGBM: stored as its text model, without the parameters of the fit."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.preprocessing import LabelEncoder

from driftloop.artifact.estimators import lightgbm_text
from driftloop.artifact.estimators.library import PLAIN_TEXT, Fitted, Library, imported

_PARAMETERS = frozenset(
    "boosting_type num_leaves max_depth learning_rate n_estimators subsample_for_bin objective class_weight min_split_gain"
    " min_child_weight min_child_samples subsample subsample_freq colsample_bytree reg_alpha reg_lambda random_state importance_type"
    # of LightGBM's own names, which its estimators take beside those
    " deterministic force_row_wise force_col_wise max_bin min_data_in_bin min_data_in_leaf feature_fraction feature_fraction_bynode"
    " bagging_fraction bagging_freq bagging_seed feature_fraction_seed data_random_seed lambda_l1 lambda_l2 extra_trees extra_seed"
    " max_cat_threshold cat_l2 cat_smooth max_cat_to_onehot min_data_per_group path_smooth monotone_constraints"
    " monotone_constraints_method monotone_penalty interaction_constraints max_delta_step min_gain_to_split min_sum_hessian_in_leaf"
    " scale_pos_weight is_unbalance boost_from_average use_missing zero_as_missing enable_bundle alpha tweedie_variance_power"
    " fair_c poisson_max_delta_step sigmoid reg_sqrt drop_rate max_drop skip_drop uniform_drop drop_seed top_rate other_rate metric"
    " device device_type".split()
)


def _prepare(estimator: Any, seed: int, threads: int) -> Mapping[str, Any]:
    """Which of two ways to sum is faster is tried out by default, and they differ in the last digits: it is fixed."""
    given = estimator.get_params()
    found: dict[str, Any] = {"n_jobs": threads, "deterministic": True}
    if given.get("random_state") is None:
        found["random_state"] = seed
    if not given.get("force_col_wise"):
        found["force_row_wise"] = True
    if not {"verbose", "verbosity"} & set(given):
        found["verbose"] = -1
    return found


def _read(estimator: Any) -> Fitted:
    text = estimator.booster_.model_to_string()
    classes = np.asarray(estimator.classes_) if hasattr(estimator, "classes_") else None
    return Fitted(lightgbm_text.canonical(text), int(estimator.n_features_in_), classes)


def _build(kind: type[Any], parameters: Mapping[str, Any], fitted: Fitted, threads: int) -> Any:
    estimator = kind(**parameters, n_jobs=threads, verbose=-1)
    booster = imported("lightgbm").Booster(model_str=fitted.data.decode())
    found: dict[str, Any] = {"_Booster": booster, "_n_features": fitted.n_features, "_n_features_in": fitted.n_features, "fitted_": True}
    if fitted.classes is not None:
        encoder = LabelEncoder().fit(fitted.classes)
        found |= {"_classes": encoder.classes_, "_n_classes": len(fitted.classes), "_le": encoder}
        found |= {"_class_map": dict(zip(encoder.classes_, range(len(fitted.classes)), strict=True))}
    objective = fitted.data.partition(b"\nobjective=")[2].split(maxsplit=1)[0].decode()
    vars(estimator).update(found, _objective=objective)
    return estimator


LIGHTGBM = Library(
    name="lightgbm",
    types=("LGBMClassifier", "LGBMRegressor"),
    parameters=_PARAMETERS,
    prepare=_prepare,
    text=PLAIN_TEXT,
    read=_read,
    check=lightgbm_text.check,
    build=_build,
)
