"""Which species? LightGBM takes categories and missing values as they come: no step before it."""

from lightgbm import LGBMClassifier
from sklearn.pipeline import Pipeline, make_pipeline


def build() -> Pipeline:
    """A new, unfitted pipeline. Seed and threads are the run's."""
    return make_pipeline(LGBMClassifier(n_estimators=60, learning_rate=0.05, num_leaves=31, reg_lambda=1.0))
