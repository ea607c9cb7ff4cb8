"""CatBoost: stored as its binary model, without the metadata of the fit but for its classes and loss."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from driftloop.artifact.estimators import catboost_binary
from driftloop.artifact.estimators.library import READABLE_TEXT, Fitted, Library

_PARAMETERS = frozenset(
    "iterations learning_rate depth l2_leaf_reg model_size_reg rsm loss_function border_count feature_border_type"
    " per_float_feature_quantization"
    " n_estimators num_trees num_boost_round max_depth eta reg_lambda colsample_bylevel objective max_bin random_seed random_state nan_mode"
    " leaf_estimation_iterations leaf_estimation_method leaf_estimation_backtracking random_strength bagging_temperature bootstrap_type"
    " subsample sampling_frequency sampling_unit mvs_reg grow_policy min_data_in_leaf min_child_samples max_leaves num_leaves"
    " score_function"
    " cat_features one_hot_max_size max_ctr_complexity simple_ctr combinations_ctr per_feature_ctr ctr_leaf_count_limit"
    " counter_calc_method store_all_simple_ctr class_weights auto_class_weights scale_pos_weight boosting_type approx_on_full_history"
    " boost_from_average langevin diffusion_temperature posterior_sampling monotone_constraints feature_weights penalties_coefficient"
    " first_feature_use_penalties model_shrink_rate model_shrink_mode eval_metric has_time fold_permutation_block fold_len_multiplier"
    " early_stopping_rounds od_type od_wait od_pval task_type".split()
)


def _prepare(estimator: Any, seed: int, threads: int) -> Mapping[str, Any]:
    """It writes a folder of logs where the process stands, unless it is told not to."""
    given = estimator.get_params()
    found: dict[str, Any] = {"thread_count": threads, "allow_writing_files": False}
    if not {"random_seed", "random_state"} & set(given):
        found["random_seed"] = seed
    if not {"verbose", "silent", "logging_level", "verbose_eval"} & set(given):
        found["verbose"] = 0
    return found


def _read(estimator: Any) -> Fitted:
    """A copy gives up its metadata: when it was fitted, a random name, all settings."""
    copy = type(estimator)()
    copy.load_model(blob=bytes(estimator._serialize_model()))
    classifies = hasattr(estimator, "predict_proba")
    classes = np.asarray(estimator.classes_.tolist()) if classifies else None
    metadata = copy.get_metadata()
    loss = json.loads(metadata["params"])["loss_function"]
    for name in list(metadata.keys()):
        del metadata[name]
    metadata[catboost_binary.PARAMETERS] = json.dumps({"loss_function": loss}, sort_keys=True)  # says what its answers mean
    if classes is not None:
        named = "Boolean" if classes.dtype == bool else "Integer" if classes.dtype.kind == "i" else "String"
        about = {
            "class_label_type": named,
            "class_names": classes.tolist(),
            "class_to_label": list(range(len(classes))),
            "classes_count": 0,
        }
        metadata[catboost_binary.CLASSES] = json.dumps(about, sort_keys=True)
    return Fitted(bytes(copy._serialize_model()), len(estimator.feature_names_), classes)


def _build(kind: type[Any], parameters: Mapping[str, Any], fitted: Fitted, threads: int) -> Any:
    estimator = kind()
    estimator.load_model(blob=fitted.data)
    # it refuses to change them once it has a model, and needs none for scoring: they are for those who ask for them
    vars(estimator)["_init_params"] = {**parameters, "thread_count": threads, "allow_writing_files": False}
    return estimator


CATBOOST = Library(
    name="catboost",
    types=("CatBoostClassifier", "CatBoostRegressor"),
    parameters=_PARAMETERS,
    prepare=_prepare,
    text=READABLE_TEXT,
    read=_read,
    check=catboost_binary.check,
    build=_build,
)
