"""A classifier that numbers its classes, such as XGBoost's, given the names of the stream's target."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.preprocessing import LabelEncoder


class NamedClasses(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """``estimator`` is fitted on the numbers 0 to n_classes - 1, and answers in the classes that it was given: ``classes_``.

    ``NamedClasses(XGBClassifier())`` is what a target of the type category needs.
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "NamedClasses":
        weighing = {} if sample_weight is None else {"sample_weight": sample_weight}
        encoder = LabelEncoder().fit(y)
        self.estimator_ = clone(self.estimator).fit(X, encoder.transform(y), **weighing)
        self.classes_ = encoder.classes_
        return self

    def predict(self, X: Any) -> "npt.NDArray[Any]":
        """(n_samples,)"""
        found: npt.NDArray[Any] = self.classes_[np.asarray(self.predict_proba(X)).argmax(axis=1)]
        return found

    def predict_proba(self, X: Any) -> "npt.NDArray[np.float64]":
        """(n_samples, n_classes), in the order of ``classes_``."""
        found: npt.NDArray[np.float64] = np.asarray(self.estimator_.predict_proba(X), dtype=np.float64)
        return found
