"""CatBoost's binary format, looked through before CatBoost follows its indices: it checks offsets by itself, and nothing that they hold.

The fields are those of catboost/libs/model/flatbuffers/*.fbs (Apache-2.0), by their numbers there.
"""

import re
import struct
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from driftloop.artifact.estimators.flatbuffer import Malformed, Table
from driftloop.artifact.estimators.library import Fitted
from driftloop.contracts.typed import prepared
from driftloop.errors import IntegrityError

CLASSES, PARAMETERS = "class_params", "params"  # the only metadata that is kept


class _Loss(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    params: dict[str, str | int | float | bool] = {}


class _Parameters(msgspec.Struct, forbid_unknown_fields=True):
    loss_function: _Loss


class _Classes(msgspec.Struct):
    class_names: list[bool | int | str]


_MAX_DEPTH = 16
_BORDERS_A_BUCKET = 254  # CatBoost splits a feature with more borders into several columns of bytes
_EMPTY = 0xFFFFFFFFFFFFFFFF  # the hash of a place that holds nothing
_MAX_CLASSES = 100_000

_REPACKED = np.dtype([("column", "<u2"), ("mask", "u1"), ("split", "u1")])
_STEP = np.dtype([("left", "<u2"), ("right", "<u2")])
_SPLIT = np.dtype([("feature", "<i4"), ("value", "V4")])
_BUCKET = np.dtype([("hash", "<u8"), ("entry", "<u4")])

Integers = npt.NDArray[np.int64]


def check(fitted: Fitted) -> None:
    """Raises IntegrityError unless trees, splits, leaves and tables of categories keep within themselves, and all counts agree."""
    data = fitted.data
    if data[:4] != b"CBM1" or len(data) < 16:
        raise _bad("it does not begin as one")
    size = struct.unpack_from("<I", data, 4)[0]
    if size > len(data) - 8:
        raise _bad("it is shorter than it says")
    try:
        _check_core(Table.root(data[8 : 8 + size]), data[8 + size :], fitted)
    except (Malformed, OverflowError, MemoryError) as exc:
        raise _bad(str(exc)) from exc


def _bad(what: str) -> IntegrityError:
    return IntegrityError(f"not a model of CatBoost that can be loaded: {what}")


def _check_core(core: Table, rest: bytes, fitted: Fitted) -> None:
    if core.text(0) != "FlabuffersModel_v1":
        raise _bad("it is of another version")
    trees = core.table(1)
    outputs = trees.integer(0, 0)
    if outputs != fitted.outputs:
        raise _bad("it has another number of classes than its pipeline")
    if any(trees.count(field) for field in (12, 13, 18)):
        raise _bad("it has features of text or embeddings, which are not supported")
    _check_metadata(core, fitted)
    categories, buckets = _features(trees, fitted.n_features)
    _check_trees(trees, outputs, buckets)
    tables = trees.count(7)
    parts = core.texts(3)
    if parts != (["static_provider_v1"] if tables else []) or (not tables and rest):
        raise _bad("it has other parts than its features need")
    if tables:
        _check_tables(rest, trees, (categories, trees.count(5)))


def _check_metadata(core: Table, fitted: Fitted) -> None:
    pairs = {pair.text(0): pair.text(1) for pair in core.tables(2)}
    if set(pairs) != {PARAMETERS, *([] if fitted.classes is None else [CLASSES])} or len(pairs) != core.count(2):
        raise _bad("it holds other metadata than its classes and its loss")
    try:
        loss = msgspec.json.decode(pairs[PARAMETERS], type=prepared(_Parameters)).loss_function
        classes = msgspec.json.decode(pairs.get(CLASSES, '{"class_names":[]}'), type=prepared(_Classes))
    except (msgspec.MsgspecError, RecursionError) as exc:
        raise _bad(f"its classes or its loss are not readable: {exc}") from exc
    if not re.fullmatch(r"[A-Za-z]{1,40}", loss.type):
        raise _bad(f"it has a loss {loss.type[:40]!r}")
    if list(classes.class_names) != ([] if fitted.classes is None else fitted.classes.tolist()):
        raise _bad("it has other classes than its pipeline")


def _features(trees: Table, n_features: int) -> tuple[int, Integers]:
    """How many categorical features there are, and for each split that trees may use the column of bytes that it looks at."""
    categories = list(trees.tables(4))
    _check_places([(feature.integer(0, -1), feature.integer(1, -1)) for feature in categories], len(categories), n_features)
    floats = list(trees.tables(5))
    _check_places([(feature.integer(1, -1), feature.integer(2, -1)) for feature in floats], len(floats), n_features)
    flat = [feature.integer(1, -1) for feature in categories] + [feature.integer(2, -1) for feature in floats]
    if sorted(flat) != list(range(n_features)):
        raise _bad("it has another number of features than its pipeline")
    columns: list[Integers] = []
    bucket = 0
    one_hot = list(trees.tables(6))
    if any(not 0 <= feature.integer(0, -1) < len(categories) for feature in one_hot):
        raise _bad("it points outside its categorical features")
    for feature, borders in [*((f, 3) for f in floats), *((f, 1) for f in one_hot), *((f, 1) for f in trees.tables(7))]:
        count = feature.count(borders)
        if feature.array(borders, "<u4").size != count or (count == 0 and borders == 1):
            raise _bad("it has a feature without borders")
        columns.append(bucket + np.arange(count, dtype=np.int64) // _BORDERS_A_BUCKET)
        bucket += -(-count // _BORDERS_A_BUCKET)
    return len(categories), np.concatenate(columns) if columns else np.zeros(0, np.int64)


def _check_places(places: list[tuple[int, int]], count: int, n_features: int) -> None:
    """Index among the features of its kind, and among all."""
    if [index for index, _ in places] != list(range(count)) or any(not 0 <= flat < n_features for _, flat in places):
        raise _bad("its features are not in order")


def _check_trees(trees: Table, outputs: int, buckets: Integers) -> None:
    splits, sizes, starts = (trees.array(field, "<i4").astype(np.int64) for field in (1, 2, 3))
    leaves, weights = trees.count(8), trees.count(9)
    trees.array(8, "<f8")
    trees.array(9, "<f8")
    repacked = trees.array(17, _REPACKED)
    if (sizes < 0).any() or len(starts) != len(sizes) or sizes.sum() != len(splits):
        raise _bad("its trees are not where it says")
    if not np.array_equal(starts, np.cumsum(sizes) - sizes):
        raise _bad("its trees are not where it says")
    if weights not in (0, leaves // outputs) or trees.count(16) not in (0, outputs) or trees.array(16, "<f8").size != trees.count(16):
        raise _bad("it has other weights than leaves")
    if trees.count(10):
        _check_steps(trees, splits, sizes, starts, leaves, outputs, buckets)
        used = np.clip(splits, 0, max(len(buckets) - 1, 0))
    else:
        if trees.count(11) or (sizes > _MAX_DEPTH).any() or (2**sizes).sum() * outputs != leaves:
            raise _bad("it has other leaves than its trees need")
        used = splits
    if len(splits) and ((splits < 0).any() or (splits >= len(buckets)).any()):
        raise _bad("a tree points outside the features")
    if len(repacked) and (len(repacked) != len(splits) or not np.array_equal(repacked["column"].astype(np.int64), buckets[used])):
        raise _bad("a tree looks at another feature than it says")


def _check_steps(trees: Table, splits: Integers, sizes: Integers, starts: Integers, leaves: int, outputs: int, buckets: Integers) -> None:
    """Trees that are not symmetric: each node says how far away its children are; 0 ends there, at a leaf."""
    steps, leaf_of = trees.array(10, _STEP), trees.array(11, "<u4").astype(np.int64)
    if not len(steps) == len(leaf_of) == len(splits) or (sizes == 0).any():
        raise _bad("it has other steps than nodes")
    place, end = np.arange(len(splits)), np.repeat(starts + sizes, sizes)
    left, right = steps["left"].astype(np.int64), steps["right"].astype(np.int64)
    if (place + left >= end).any() or (place + right >= end).any():
        raise _bad("a tree points outside its nodes")
    ending = (left == 0) | (right == 0)
    if (leaf_of[ending] > leaves - outputs).any():
        raise _bad("a tree points outside its leaves")


class _Base(NamedTuple):
    """What a table of categories is of: the features that it combines, and what it counts."""

    categories: tuple[int, ...]
    floats: bytes
    one_hot: bytes
    kind: int


def _check_tables(rest: bytes, trees: Table, kinds: tuple[int, int]) -> None:
    """What is known of each category, as tables that a hash leads into: number of tables, then each behind its size. CatBoost follows
    their offsets unchecked. ``kinds``: how many categorical features and numbers there are."""
    if len(rest) < 4:
        raise _bad("its tables of categories are missing")
    count, at = struct.unpack_from("<I", rest)[0], 4
    classes: dict[_Base, int] = {}
    for _ in range(count):
        if at + 4 > len(rest):
            raise _bad("its tables of categories are cut off")
        size = struct.unpack_from("<I", rest, at)[0]
        if at + 4 + size > len(rest):
            raise _bad("its tables of categories are cut off")
        base, known = _checked_table(Table.root(rest[at + 4 : at + 4 + size]), kinds)
        if base in classes:
            raise _bad("it has a table of categories twice")
        classes[base] = known
        at += 4 + size
    if at != len(rest):
        raise _bad("something follows its tables of categories")
    for feature in trees.tables(7):
        ctr = feature.table(0)
        base = _base(ctr.table(0), kinds)
        if base not in classes or (base.kind in (0, 1) and not 0 <= ctr.integer(1, 0) < classes[base]):
            raise _bad("it points outside its tables of categories")


def _base(base: Table, kinds: tuple[int, int]) -> _Base:
    projection = base.table(0)
    categories, floats, one_hot = projection.array(0, "<i4"), projection.array(1, _SPLIT), projection.array(2, _SPLIT)
    for found, most in ((categories, kinds[0]), (floats["feature"], kinds[1]), (one_hot["feature"], kinds[0])):
        if not np.isin(found.astype(np.int64), np.arange(most)).all():
            raise _bad("a table is of a feature that there is not")
    return _Base(tuple(categories.tolist()), floats.tobytes(), one_hot.tobytes(), base.byte(1, 0))


def _checked_table(table: Table, kinds: tuple[int, int]) -> tuple[_Base, int]:
    """With how many classes of the target it counts."""
    base = _base(table.table(0), kinds)
    raw, blob = table.array(1, "u1").tobytes(), table.array(2, "u1").size
    target_classes = table.integer(4, 0)
    table.integer(3, 0)
    # borders and buckets: a count for each class of the target; mean values: a float and a count; counters: a count
    width = {0: 4 * target_classes, 1: 4 * target_classes, 2: 8, 3: 8, 4: 4, 5: 4}.get(base.kind, 0)
    if not 0 < width <= 4 * _MAX_CLASSES or blob % width or blob == 0:
        raise _bad("a table of categories has entries of another size than it says")
    if len(raw) % 12 or (count := len(raw) // 12) == 0 or count & (count - 1):
        raise _bad("a table of categories is cut off")
    buckets = np.frombuffer(raw, _BUCKET)  # a hash, and where what is known of it stands
    empty = buckets["hash"] == _EMPTY
    if not empty.any():
        raise _bad("a search in a table of categories would have no end")
    if (buckets["entry"][~empty].astype(np.int64) >= blob // width).any():
        raise _bad("a table of categories points outside its entries")
    return base, target_classes
