"""Cutting event time so that every slice holds about as many rows as fit into memory: values in, values out."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Cuts = npt.NDArray[np.int64]  # microseconds since the epoch, rising; slice k is [cuts[k - 1], cuts[k]), the outer two are open


class Group(NamedTuple):
    """A row group of a local file, as its statistics have it: ``rows`` with event times from ``low`` to ``high``, both included."""

    table: str
    file: int
    number: int
    rows: int
    low: int
    high: int


def cuts_for(groups: Sequence[Group], rows_per_slice: float) -> Cuts:
    """Where to cut, if the rows of each group were spread evenly over its span. No cut when all of them are one slice."""
    if sum(g.rows for g in groups) <= rows_per_slice:
        return np.empty(0, np.int64)
    low = np.array([g.low for g in groups], np.float64)
    span = np.array([g.high - g.low + 1 for g in groups], np.float64)
    density = np.array([g.rows for g in groups], np.float64) / span
    edges = np.unique(np.concatenate([low, low + span]))
    change = np.zeros(len(edges))
    np.add.at(change, np.searchsorted(edges, low), density)
    np.add.at(change, np.searchsorted(edges, low + span), -density)
    below = np.concatenate([[0.0], np.cumsum(np.cumsum(change)[:-1] * np.diff(edges))])  # rows before each edge
    wanted = np.arange(rows_per_slice, below[-1], rows_per_slice)
    return np.unique(np.interp(wanted, below, edges).astype(np.int64))


def slices_of(cuts: Cuts, times: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The number of the slice that each time lies in."""
    return np.searchsorted(cuts, times, side="right")


def first_and_last(cuts: Cuts, group: Group) -> tuple[int, int]:
    """Numbers of the first and last slice that the group can have rows in."""
    first, last = slices_of(cuts, np.array([group.low, group.high], np.int64))
    return int(first), int(last)
