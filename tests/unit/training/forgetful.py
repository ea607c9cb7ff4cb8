"""A transformer as some libraries ship them: it works until it is stored, for a part of its state is left out then."""

from typing import Any

from sklearn.base import BaseEstimator, TransformerMixin


class Forgetful(TransformerMixin, BaseEstimator):
    """Moves a column by what it learned, and by 0 once it was stored and loaded."""

    moved_by_ = 0.0

    def fit(self, X: Any, y: Any = None) -> "Forgetful":
        self.moved_by_ = 1.0
        return self

    def transform(self, X: Any) -> Any:
        return X + self.moved_by_

    def __getstate__(self) -> dict[str, Any]:
        return {}
