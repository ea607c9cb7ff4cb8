"""The column of class probabilities: written from a model's answers, checked when a message brings it, read as a matrix."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.class_probabilities import MAX_CLASSES, MAX_NAMES_BYTES, PROBABILITIES, ROUNDING, SUM_TOLERANCE
from driftloop.errors import InvalidMessage
from driftloop.rows.schemas import CLASS_PROBABILITIES

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def unrecordable(classes: Sequence[str]) -> str | None:
    """Why probabilities of these classes are not recorded; None when they are."""
    if len(classes) > MAX_CLASSES:
        return f"{len(classes)} classes; at most {MAX_CLASSES}"
    size = sum(len(name.encode()) for name in classes)
    return f"names of {size} bytes; at most {MAX_NAMES_BYTES}" if size > MAX_NAMES_BYTES else None


def encode(probabilities: Floats, classes: Sequence[str]) -> pa.MapArray:
    """The column of n rows, (n, number of classes), with ``classes`` in the order of their names, each once.

    Null in rows that no reader would accept: not finite, outside of 0 to 1, or without a sum of 1, as a model may give them
    that makes no probabilities of its scores. So what is wrong with them costs a row nothing else.
    """
    n = len(probabilities)
    if unrecordable(classes) is not None:
        return pa.nulls(n, CLASS_PROBABILITIES.type)
    with np.errstate(all="ignore"):
        within = ((probabilities >= -ROUNDING) & (probabilities <= 1 + ROUNDING)).all(axis=1)
        sound = within & (np.abs(probabilities.sum(axis=1) - 1) <= SUM_TOLERANCE)
    names = pa.array(classes, pa.string()).take(pa.array(np.tile(np.arange(len(classes)), int(sound.sum()))))
    values = pa.array(np.clip(probabilities[sound], 0.0, 1.0).ravel(), pa.float64())
    starts = np.concatenate(([0], np.cumsum(sound * len(classes)))).astype(np.int32)
    return pa.MapArray.from_arrays(pa.array(starts), names, values, type=CLASS_PROBABILITIES.type, mask=pa.array(~sound))


def check(rows: pa.Table) -> None:
    """Raises InvalidMessage when a row's class probabilities are none, or do not go with its prediction; null is no mistake."""
    held = rows.column(PROBABILITIES).is_valid()
    found = _flat(rows.column(PROBABILITIES).filter(held))
    if not len(found.sizes):
        return
    if found.sizes.min() == 0:
        raise _wrong("a row names no class")
    if found.sizes.max() > MAX_CLASSES:
        raise _wrong(f"a row names {found.sizes.max()} classes; at most {MAX_CLASSES}")
    starts = found.starts
    names_bytes = np.add.reduceat(pc.binary_length(found.names).to_numpy(zero_copy_only=False).astype(np.int64), starts)
    if names_bytes.max() > MAX_NAMES_BYTES:
        raise _wrong(f"the names of a row's classes are {names_bytes.max()} bytes long; at most {MAX_NAMES_BYTES}")
    ascending = pc.less(found.names[:-1], found.names[1:]).to_numpy(zero_copy_only=False)
    ascending[starts[1:] - 1] = True  # from one row to the next
    if not ascending.all():
        raise _wrong("a row's classes are not in the order of their names, each once")
    if found.values.null_count:
        raise _wrong("a class has null instead of a probability")
    values = found.values.to_numpy(zero_copy_only=False)
    if not (np.isfinite(values) & (values >= 0) & (values <= 1)).all():
        raise _wrong("a probability is no number between 0 and 1")
    sums = np.add.reduceat(values, starts)
    if (np.abs(sums - 1) > SUM_TOLERANCE).any():
        raise _wrong(f"a row's probabilities add up to {sums[np.abs(sums - 1).argmax()]:.6g} and not to 1")
    predictions = rows.column("prediction").filter(held).combine_chunks()
    named = pc.fill_null(pc.equal(found.names, predictions.take(pa.array(found.rows))), False).to_numpy(zero_copy_only=False)
    if not np.logical_or.reduceat(named, starts).all():
        raise _wrong("the prediction of a row is not one of its classes")


def matrix(column: pa.ChunkedArray) -> tuple[tuple[str, ...], Floats] | None:
    """All classes of the rows in the order of their names, and P(class), (n, number of classes); 0 where a row does not name a
    class: its model does not know it. None when there are more than MAX_CLASSES, of which no model can be. Without nulls."""
    found = _flat(column)
    encoded = found.names.dictionary_encode()
    classes: list[str] = encoded.dictionary.to_pylist()
    if len(classes) > MAX_CLASSES:
        return None
    order = sorted(range(len(classes)), key=classes.__getitem__)
    place = np.empty(len(classes), np.int64)
    place[order] = np.arange(len(classes))
    values = np.zeros((len(column), len(classes)))
    values[found.rows, place[encoded.indices.to_numpy(zero_copy_only=False)]] = found.values.to_numpy(zero_copy_only=False)
    return tuple(classes[i] for i in order), values


def unknown_classes(labels: pa.ChunkedArray, column: pa.ChunkedArray) -> int:
    """How many of the labels are of a class that no row's probabilities name; none where no row has probabilities."""
    known = pc.unique(_flat(column.drop_null()).names)
    if not len(known):
        return 0
    given = labels.drop_null()
    return len(given) - int(pc.sum(pc.is_in(given, value_set=known)).as_py() or 0)


class _Flat(NamedTuple):
    """The entries of all rows, one row's after another's; ``rows`` says whose each is, ``sizes`` how many a row has."""

    names: pa.Array
    values: pa.Array
    rows: Ints
    sizes: Ints

    @property
    def starts(self) -> Ints:
        return np.cumsum(self.sizes) - self.sizes


def _flat(column: pa.ChunkedArray) -> _Flat:
    """Of a column without nulls."""
    whole = column.combine_chunks()  # a copy: it has the entries of these rows alone, also where the column is a slice
    sizes = np.diff(whole.offsets.to_numpy(zero_copy_only=False).astype(np.int64))
    return _Flat(whole.keys, whole.items, np.repeat(np.arange(len(sizes)), sizes), sizes)


def _wrong(reason: str) -> InvalidMessage:
    return InvalidMessage(f"field {PROBABILITIES!r}: {reason}")
