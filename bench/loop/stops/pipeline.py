"""Is it a stop of traffic? Gradient boosting on place and hour."""

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

CATEGORIES = ["MDC", "gender", "policePrecinct", "neighborhood"]


def build() -> Pipeline:
    """A new, unfitted pipeline. Missing values stay missing: the trees learn where to send them."""
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)
    boosting = HistGradientBoostingClassifier(max_iter=100, early_stopping=False, random_state=0)
    return make_pipeline(make_column_transformer((encoder, CATEGORIES), remainder="passthrough"), boosting)
