"""Will it be clicked? Small gradient boosting, quick to fit."""

from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline


def build() -> Pipeline:
    """A new, unfitted pipeline."""
    return make_pipeline(HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=15, early_stopping=False, random_state=0))
