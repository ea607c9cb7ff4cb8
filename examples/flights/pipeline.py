"""Will the flight be late? Gradient boosting on the schedule and the weather."""

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

CATEGORIES = ["carrier", "origin", "dest"]


def build() -> Pipeline:
    """A new, unfitted pipeline. Missing values stay missing: the trees learn where to send them.

    70 trees are as good as 100 (a thousandth of mean AUC less) and take two thirds of the time, on which the whole replay waits.
    Each split chooses among half of the features: flights of a day share their weather, which single trees would learn by heart
    (0.003 of mean AUC, measured on every third window, in the same time).
    Codes as numbers score as well as native categories (0.696 against 0.697 in mean AUC) and are faster to score and load.
    """
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)
    return make_pipeline(
        make_column_transformer((encoder, CATEGORIES), remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=70, max_features=0.5, early_stopping=False, random_state=0),
    )
