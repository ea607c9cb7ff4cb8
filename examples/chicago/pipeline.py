"""How many riders? Gradient boosting on numbers alone."""

from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline, make_pipeline


def build() -> Pipeline:
    """A new, unfitted pipeline. Missing values stay missing: the trees learn where to send them."""
    return make_pipeline(HistGradientBoostingRegressor(max_iter=100, early_stopping=False, random_state=0))
