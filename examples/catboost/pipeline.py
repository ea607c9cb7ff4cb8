"""Which species? CatBoost encodes categories by what they mean for the target; a missing one is a category of its own."""

from catboost import CatBoostClassifier
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline

CATEGORIES = ["sex", "plot_id", "plot_type"]


def build() -> Pipeline:
    """A new, unfitted pipeline. Seed and threads are the run's; missing numbers stay missing."""
    filled = SimpleImputer(strategy="constant", fill_value="none")
    columns = make_column_transformer((filled, CATEGORIES), remainder="passthrough", verbose_feature_names_out=False)
    boosting = CatBoostClassifier(iterations=60, depth=5, learning_rate=0.2, cat_features=CATEGORIES)
    return make_pipeline(columns.set_output(transform="pandas"), boosting)
