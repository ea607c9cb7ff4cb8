"""Which species? Gradient boosting on measures and plots, slow and regularised: some species are rare."""

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

CATEGORIES = ["sex", "plot_id", "plot_type"]


def build() -> Pipeline:
    """A new, unfitted pipeline. Missing values stay missing: the trees learn where to send them."""
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)
    boosting = HistGradientBoostingClassifier(max_iter=60, learning_rate=0.05, l2_regularization=1.0, early_stopping=False, random_state=0)
    return make_pipeline(make_column_transformer((encoder, CATEGORIES), remainder="passthrough"), boosting)
