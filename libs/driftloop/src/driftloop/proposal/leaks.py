"""Columns that a model should not see: they say nothing, name the row, or tell the answer. Proposals, each with its reason."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.column_types import Task
from driftloop.proposal.facts import ColumnFacts
from driftloop.proposal.keys import every_value_its_own
from driftloop.proposal.target import TargetChoice
from driftloop.rows.numbers import as_numbers
from driftloop.statistics.metrics import proposed

ALONE = 0.98  # AUC, accuracy or R² of one column by itself, from which it is taken for the answer
DOUBTFUL = 0.85  # from which a person is asked to look
LIFT = 0.9  # of several classes: of the errors that the most frequent class leaves, so many must be gone, too
SAMPLE = 20_000  # labelled rows, from all over the file
FEWEST = 100  # labelled rows, below which nobody says what a column tells alone
MISSING_TOGETHER = 10  # rows without a label, from which it is no accident that a column is missing in just those
MOST_LEAVES, ROWS_A_LEAF = 64, 10
FREE_TEXT = 0.5  # different values for so many rows: text that is not a category


def empty_reason(column: ColumnFacts) -> str | None:
    """Says nothing by itself, or names its row."""
    if column.known == 0:
        return "no row has a value"
    if column.distinct == 1 and not column.missing:
        return f"constant: every row has {column.values[0].as_py()!r}"
    if every_value_its_own(column):
        return "every row has a value of its own: an id"
    if column.kind == "category" and column.distinct > FREE_TEXT * column.known and column.known > FEWEST:
        return f"{column.distinct:,} different texts in {column.known:,} rows: no category"
    return None


def missing_with_label(column: ColumnFacts, labels: pa.ChunkedArray) -> str | None:
    """Missing in exactly the rows that have no label: it becomes known with it."""
    n = labels.null_count
    if n < MISSING_TOGETHER or column.missing != n:
        return None
    same = pc.all(pc.equal(pc.is_null(column.values), pc.is_null(labels))).as_py()
    return f"missing in exactly the {n:,} rows that have no label: known only with it" if same else None


def alone(column: ColumnFacts, target: TargetChoice, order: npt.NDArray[np.intp]) -> tuple[str, float] | None:
    """Name and value of a measure of how well the column by itself predicts the target, fitted on the earlier two thirds of labelled rows
    and judged on the later third: a tree of one column, of categories what each of them had before. ``order``: rows by event
    time. None where too few rows, or one class alone, say nothing."""
    rows = order[pc.is_valid(target.values).to_numpy()[order]]
    rows = rows[:: max(1, len(rows) // SAMPLE)]
    if len(rows) < FEWEST:
        return None
    at = pa.array(rows)
    return score_alone(column.values.take(at), _labels(target.values.take(at), target.task), target.task)


def tells_alone(target: str, found: tuple[str, float] | None) -> str | None:
    """Whether a column that predicts the target so well by itself is the answer."""
    if found is None or found[1] < ALONE:
        return None
    return f"alone it predicts {target} ({found[0]} {found[1]:.3f}): the answer in other words, or known only after it"


def doubt(column: ColumnFacts, target: TargetChoice, found: tuple[str, float] | None) -> str | None:
    """What a person should look at before a column is taken as a feature; it is no reason to leave it out."""
    look = f"make sure that it is known when a row is asked about, or --drop {column.name}"
    if found is not None and found[1] >= DOUBTFUL:
        return f"{column.name} alone predicts {target.column} well ({found[0]} {found[1]:.3f}): {look}"
    without_label = pc.and_(pc.is_null(column.values), pc.is_null(target.values))
    if column.missing >= MISSING_TOGETHER and pc.sum(without_label).as_py() == column.missing:
        return f"{column.name} is missing in {column.missing:,} rows, none of which has a label: {look}"
    return None


def score_alone(values: pa.ChunkedArray, labels: npt.NDArray[Any], task: Task) -> tuple[str, float] | None:
    """Name and value of a measure, 1 at most; None where it is not defined on the rows."""
    cut = 2 * len(labels) // 3
    before, after = labels[:cut], labels[cut:]
    if len(np.unique(before)) < 2 or len(np.unique(after)) < 2:
        return None
    category = pa.types.is_string(values.type)
    predicted = _lookup(values, labels, cut, task) if category else _tree(values, labels, cut, task)
    return _measured(after, predicted, before, task)


def _labels(values: pa.ChunkedArray, task: Task) -> npt.NDArray[Any]:
    if task == "multiclass":
        texts: npt.NDArray[Any] = values.to_numpy().astype(str)
        return texts
    numbers: npt.NDArray[Any] = as_numbers(values).to_numpy().astype(float)
    return numbers


def _tree(values: pa.ChunkedArray, labels: npt.NDArray[Any], cut: int, task: Task) -> npt.NDArray[Any]:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    X = as_numbers(values).to_numpy().astype(float).reshape(-1, 1)
    kind = DecisionTreeClassifier if task == "multiclass" else DecisionTreeRegressor
    # scikit-learn 1.9 refuses a column of which the fitted part is all missing
    X = np.where(np.isnan(X), np.finfo(np.float32).min / 2, X)
    tree = kind(max_leaf_nodes=MOST_LEAVES, min_samples_leaf=ROWS_A_LEAF, random_state=0).fit(X[:cut], labels[:cut])
    predicted: npt.NDArray[Any] = tree.predict(X[cut:])
    return predicted


def _lookup(values: pa.ChunkedArray, labels: npt.NDArray[Any], cut: int, task: Task) -> npt.NDArray[Any]:
    """For each category the mean, or the most frequent class, of its earlier rows; of one that is new, of all."""
    codes: npt.NDArray[np.int64] = pc.fill_null(values, "").combine_chunks().dictionary_encode().indices.to_numpy()
    n = int(codes.max()) + 1
    if task != "multiclass":
        counts, sums = np.bincount(codes[:cut], minlength=n), np.bincount(codes[:cut], weights=labels[:cut], minlength=n)
        means: npt.NDArray[Any] = np.where(counts > 0, sums / np.maximum(counts, 1), labels[:cut].mean())
        return means[codes[cut:]]
    classes, of_row = np.unique(labels[:cut], return_inverse=True)
    counts2 = np.zeros((n, len(classes)))
    np.add.at(counts2, (codes[:cut], of_row), 1)
    counts2[counts2.sum(axis=1) == 0] = counts2.sum(axis=0)
    frequent: npt.NDArray[Any] = classes[counts2.argmax(axis=1)]
    return frequent[codes[cut:]]


def _measured(labels: npt.NDArray[Any], predicted: npt.NDArray[Any], before: npt.NDArray[Any], task: Task) -> tuple[str, float] | None:
    if task == "binary":
        from sklearn.metrics import roc_auc_score

        return proposed(task), float(roc_auc_score(labels, predicted))
    if task == "regression":
        variance = float(((labels - labels.mean()) ** 2).sum())
        return (proposed(task), 1 - float(((labels - predicted) ** 2).sum()) / variance) if variance > 0 else None
    names, counts = np.unique(before, return_counts=True)
    right, base = float((labels == predicted).mean()), float((labels == names[counts.argmax()]).mean())
    lifted = base < 1 and (right - base) / (1 - base) >= LIFT
    return (proposed(task), right) if lifted else None
