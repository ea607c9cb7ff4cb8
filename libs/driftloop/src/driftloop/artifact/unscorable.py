"""Finding the rows of a batch that a pipeline cannot score, so that each costs only itself."""

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

Reason = Literal["refused", "not-finite", "no-time"]
Rows = npt.NDArray[np.intp]
Outputs = tuple["npt.NDArray[Any]", ...]  # arrays with one entry per row
Score = Callable[[pd.DataFrame], Outputs]

MAX_VALUES = 10_000  # of one column that are known to be scorable; rows with others are looked at by themselves
BATCHES_TO_LEARN_FROM = 20  # of those that were scored whole; afterwards only what comes up in a search is learned
MAX_DETAIL = 200  # characters


class Unscored(NamedTuple):
    """Why one row has no prediction. ``refused``: the pipeline raised, ``detail`` says what; ``not-finite``: its score is no number;
    ``no-time``: there were too many such rows to find out about this one."""

    reason: Reason
    detail: str


class Found(NamedTuple):
    """What a search gave: outputs with something in every row, None if no row could be scored; and the rows without an output."""

    outputs: Outputs | None
    unscored: dict[int, Unscored]


class Scorable:
    """Which categories, and missing values of which columns, a pipeline has scored before. Safe to use from several threads.

    What makes a pipeline refuse a row is nearly always a category that it was not fitted with, or a missing value that nothing
    fills in. Rows without any that is new to it can be scored together, whatever else is in their batch.
    """

    def __init__(self) -> None:
        self._values: dict[str, set[int]] = {}  # by column: their hashes, since a category may be megabytes long
        self._batches = 0
        self._lock = threading.Lock()

    @property
    def empty(self) -> bool:
        return not self._values

    def saw_batch(self, frame: pd.DataFrame) -> None:
        """These rows were scored together. The first batches are learned from; after that it costs nothing."""
        if self._batches < BATCHES_TO_LEARN_FROM:
            self._batches += 1
            for column in _columns(frame):
                self.add(column.name, (column.values[code] for code in np.unique(column.codes)))

    def add(self, column: str, values: Iterable[Hashable]) -> None:
        """Rows with these values in the column were scored."""
        with self._lock:
            known = self._values.setdefault(column, set())
            for value in values:
                if len(known) < MAX_VALUES:
                    known.add(hash(value))

    def new(self, column: str, values: Iterable[Hashable]) -> list[bool]:
        """Which of the values were not scored before, as far as is remembered."""
        with self._lock:
            known = self._values.get(column, set())
            return [hash(value) not in known for value in values]


def search(frame: pd.DataFrame, score: Score, scorable: Scorable, time_is_up: Callable[[], bool]) -> Found:
    """Score what can be scored of a frame that ``score`` refuses as a whole.

    First the rows with nothing new in them, together; then rows that are new in the same way, together and one by one. What
    cannot be told apart so is halved. When ``time_is_up``, whatever has not been tried stays unscored.
    """
    return _Search(frame, score, scorable).run(time_is_up)


class _Column(NamedTuple):
    """What a column's rows may be refused for: ``codes`` index ``values``, whose last is None, for rows that lack a value. Numbers
    are all taken for one value, the first."""

    name: str
    values: list[Hashable]
    codes: Rows


class _Piece(NamedTuple):
    rows: Rows
    alike: bool  # new in the same way: if they cannot be scored together, probably none can
    trusted: bool  # nothing new in them


class _Search:
    def __init__(self, frame: pd.DataFrame, score: Score, scorable: Scorable) -> None:
        self._frame, self._score, self._scorable = frame, score, scorable
        self._columns = list(_columns(frame))
        self._new = [_new(column, scorable) for column in self._columns]  # by value
        self._outputs: Outputs | None = None
        self._unscored: dict[int, Unscored] = {}

    def run(self, time_is_up: Callable[[], bool]) -> Found:
        whole = np.arange(len(self._frame))
        pending = deque([] if self._scorable.empty else self._sorted())
        if len(pending) < 2:  # nothing sets the rows apart, and all together were tried
            pending = deque(_pieces(_Piece(whole, alike=False, trusted=not self._suspicious().any())))
        while pending:
            piece = pending.popleft()
            if time_is_up():
                self._give_up([piece, *pending])
                break
            problem = self._try(piece.rows)
            if problem is None:
                if self._learn(piece.rows):
                    pending = deque(self._sorted_again(pending))
            elif len(piece.rows) == 1:
                self._unscored[int(piece.rows[0])] = Unscored("refused", problem)
            else:
                pending.extend(_pieces(piece))
        return Found(self._outputs, self._unscored)

    def _try(self, rows: Rows) -> str | None:
        """What the pipeline says against these rows; None when they are scored."""
        try:
            outputs = self._score(self._frame.iloc[rows])
        except Exception as exc:  # noqa: BLE001  a stranger's pipeline raises anything
            return f"{type(exc).__name__}: {exc}"[:MAX_DETAIL]
        if self._outputs is None:
            n = len(self._frame)
            self._outputs = tuple(np.resize(part[:1], (n, *part.shape[1:])) for part in outputs)
        for whole, part in zip(self._outputs, outputs, strict=True):
            whole[rows] = part
        return None

    def _suspicious(self) -> "npt.NDArray[np.bool_]":
        """The rows with something new in them."""
        found = np.zeros(len(self._frame), dtype=bool)
        for column, new in zip(self._columns, self._new, strict=True):
            found |= new[column.codes]
        return found

    def _learn(self, rows: Rows) -> bool:
        """These rows were scored. True when there was something new in them."""
        learned = False
        for column, new in zip(self._columns, self._new, strict=True):
            codes = np.unique(column.codes[rows])
            fresh = codes[new[codes]]
            if len(fresh):
                self._scorable.add(column.name, (column.values[code] for code in fresh))
                new[fresh] = False
                learned = True
        return learned

    def _sorted(self) -> Iterator[_Piece]:
        """Rows with nothing new first, then those that are new in the same way, most rows first."""
        suspicious = self._suspicious()
        if not suspicious.all():
            yield _Piece(np.flatnonzero(~suspicious), alike=False, trusted=True)
        groups: dict[tuple[int, ...], list[int]] = {}
        for row in np.flatnonzero(suspicious).tolist():
            why = tuple(
                int(column.codes[row]) if new[column.codes[row]] else len(new) for column, new in zip(self._columns, self._new, strict=True)
            )
            groups.setdefault(why, []).append(row)
        for group in sorted(groups.values(), key=len, reverse=True):
            yield _Piece(np.array(group, dtype=np.intp), alike=True, trusted=False)

    def _sorted_again(self, pending: "deque[_Piece]") -> Iterator[_Piece]:
        """The same pieces, without the rows in which there is nothing new any more: those come first, together."""
        suspicious = self._suspicious()
        cleared = [piece.rows[~suspicious[piece.rows]] for piece in pending if not piece.trusted]
        together = np.concatenate([np.array([], dtype=np.intp), *cleared])
        if len(together):
            yield _Piece(together, alike=False, trusted=True)
        for piece in pending:
            rows = piece.rows if piece.trusted else piece.rows[suspicious[piece.rows]]
            if len(rows):
                yield piece._replace(rows=rows)

    def _give_up(self, pieces: Iterable[_Piece]) -> None:
        unscored = Unscored("no-time", "too many rows of its batch could not be scored")
        self._unscored |= {int(row): unscored for piece in pieces for row in piece.rows}


def _pieces(piece: _Piece) -> Iterator[_Piece]:
    """What to try instead of rows that cannot be scored together."""
    n = len(piece.rows)
    step = 1 if piece.alike or n <= 4 else (n + 1) // 2
    return (piece._replace(rows=piece.rows[at : at + step]) for at in range(0, n, step))


def _columns(frame: pd.DataFrame) -> Iterator[_Column]:
    for name in frame.columns:
        column = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            yield _Column(str(name), [*column.cat.categories, None], column.cat.codes.to_numpy().astype(np.intp))  # -1: the last value
        else:
            yield _Column(str(name), [True, None], np.where(column.isna().to_numpy(), 1, 0))


def _new(column: _Column, scorable: Scorable) -> "npt.NDArray[np.bool_]":
    new = np.array(scorable.new(column.name, column.values))
    if column.values[0] is True:
        new[0] = False  # a number: which ones a pipeline takes cannot be said by value
    return new
