"""NannyML's alarm on estimated performance: CBPE for classes, DLE (of the error) for numbers, with their default thresholds: three
standard deviations of the reference's chunks. Reference: the first window that the champion answered for, once its labels are known; so
the first window that can alarm is the one after it. A window is cut into CHUNKS; one alarm towards worse is an alarm."""

from importlib.metadata import version
from typing import Any

import nannyml
import pandas as pd
from given import Fires, Given, answer

CHUNKS = 10


def trigger(given: Given) -> Fires:
    rows = pd.read_parquet(given.rows)
    for name in given.numbers:
        rows[name] = rows[name].astype(float)
    for name in given.categories:
        rows[name] = rows[name].astype("category")
    estimators: dict[int, Any] = {}

    def answered(fitted: int, window: int) -> pd.DataFrame:
        outputs = given.outputs(fitted, window)
        frame = rows[given.bounds[window] : given.bounds[window + 1]].reset_index(drop=True)
        frame["predicted"] = outputs["predictions"]
        if given.task == "multiclass":
            for at, name in enumerate(outputs["classes"]):
                frame[f"probability of {name}"] = outputs["probabilities"][:, at]
        elif given.task == "binary":
            frame["score"] = outputs["scores"]
            frame["predicted"] = frame["predicted"].astype(int)
            frame["label"] = frame["label"].astype(int)
        return frame

    def fires(w: int, fitted: int) -> str | None:
        if w - 1 == fitted:
            return None
        if fitted not in estimators:
            reference = answered(fitted, fitted)
            estimators[fitted] = _estimator(given, reference, len(reference) // CHUNKS).fit(reference)
        results = estimators[fitted].estimate(answered(fitted, w - 1)).filter(period="analysis").to_df()
        metric = next(name for name in results.columns.get_level_values(0) if name != "chunk")
        of = results[metric]
        worse = of["value"] > of["upper_threshold"] if given.task == "regression" else of["value"] < of["lower_threshold"]
        return f"{metric} of {int(worse.sum())} of {len(of)} chunks beyond its threshold" if worse.any() else None

    return fires


def _estimator(given: Given, reference: pd.DataFrame, chunk_size: int) -> Any:
    if given.task == "regression":
        return nannyml.DLE(
            feature_column_names=list(given.features), y_pred="predicted", y_true="label", metrics=["mae"], chunk_size=chunk_size
        )
    if given.task == "binary":
        return nannyml.CBPE(
            problem_type="classification_binary",
            y_pred_proba="score",
            y_pred="predicted",
            y_true="label",
            metrics=["roc_auc"],
            chunk_size=chunk_size,
        )
    names = [column for column in reference.columns if column.startswith("probability of ")]
    return nannyml.CBPE(
        problem_type="classification_multiclass",
        y_pred_proba={name.removeprefix("probability of "): name for name in names},
        y_pred="predicted",
        y_true="label",
        metrics=["accuracy"],
        chunk_size=chunk_size,
    )


if __name__ == "__main__":
    answer(f"NannyML {version('nannyml')}", trigger)
