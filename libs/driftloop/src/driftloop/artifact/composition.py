"""What a recipe makes when it is more than one plain fit: the mean of fitted members, some of which know the event time.

It holds only what it was made of, nothing that is computed from it, so that its bytes depend on its members alone.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator

from driftloop.artifact.event_time import EVENT_TIME, with_event_time
from driftloop.errors import IntegrityError

Floats = npt.NDArray[np.float64]


class Composition(BaseEstimator):  # type: ignore[misc]
    """Mean of the probabilities that its members give, or of their predictions where they give none.

    ``members``: fitted estimators. ``timed``: for each, whether it takes EVENT_TIME, the last column of ``X``, beside the
    features. ``last_time``: the newest event time that they were fitted on; rows that are newer are scored as if they were
    of then, since a model cannot know what comes later. A class that a member does not know has probability 0 from it.
    """

    def __init__(self, members: tuple[Any, ...], timed: tuple[bool, ...], last_time: float) -> None:
        self.members = members
        self.timed = timed
        self.last_time = last_time

    @property
    def needs_event_time(self) -> bool:
        return any(self.timed)

    @property
    def classes_(self) -> npt.NDArray[Any]:
        """The classes of all members, in their order. Raises AttributeError where they predict numbers, as scikit-learn does."""
        return np.unique(np.concatenate([member.classes_ for member in self.members]))

    def predict(self, X: pd.DataFrame) -> npt.NDArray[Any]:
        """(n_samples,): the class of the highest mean probability, or the mean of the predictions."""
        if hasattr(self, "classes_"):
            found: npt.NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
            return found
        return self._mean([np.asarray(member.predict(frame), np.float64) for member, frame in self._inputs(X)])

    def predict_proba(self, X: pd.DataFrame) -> Floats:
        """(n_samples, n_classes), in the order of ``classes_``."""
        classes = self.classes_
        given = []
        for member, frame in self._inputs(X):
            of_all = np.zeros((len(frame), len(classes)))
            of_all[:, np.searchsorted(classes, member.classes_)] = member.predict_proba(frame)
            given.append(of_all)
        return self._mean(given)

    def _inputs(self, X: pd.DataFrame) -> list[tuple[Any, pd.DataFrame]]:
        """Each member with the columns that it was fitted on."""
        if not self.needs_event_time:
            return [(member, X) for member in self.members]
        plain = X.drop(columns=EVENT_TIME)
        timed = with_event_time(plain, np.minimum(X[EVENT_TIME].to_numpy(), self.last_time))
        return [(member, timed if takes else plain) for member, takes in zip(self.members, self.timed, strict=True)]

    def _mean(self, given: list[Floats]) -> Floats:
        """Added up one after another: the same whatever the rows beside a row are."""
        total = given[0]
        for more in given[1:]:
            total = total + more
        mean: Floats = total / len(given)
        return mean


def needs_event_time(model: Any) -> bool:
    """Whether ``model`` is to be given EVENT_TIME beside the features."""
    return isinstance(model, Composition) and model.needs_event_time


def check_composition(model: Any) -> None:
    """Raises IntegrityError for a composition, as read from a file, that this module has not made."""
    if not isinstance(model, Composition):
        return
    members, timed, last = (vars(model).get(name) for name in ("members", "timed", "last_time"))
    if not (isinstance(members, tuple) and isinstance(timed, tuple) and isinstance(last, float)):
        raise IntegrityError("the model file holds a composition without members")
    fitting = len(members) == len(timed) > 0 and all(isinstance(takes, bool) for takes in timed)
    if not fitting or not np.isfinite(last) or not all(hasattr(member, "predict") for member in members):
        raise IntegrityError("the model file holds a composition whose parts do not fit together")
