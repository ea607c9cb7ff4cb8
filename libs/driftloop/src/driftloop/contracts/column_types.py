"""What a column of a stream may hold: a row per type. Here a new one begins.

Where code must differ from type to type it matches on the name and ends in ``assert_never``, so that mypy names the places
that were forgotten: ``column_type`` below, ``rows.numbers``, ``rows.existing.kinds``, ``datafile.values`` and ``artifact.scoring``.
All else reads the row; ``proposal`` says what types values look like, and proposes no type that it does not name.
Without Arrow: who only passes schemas on need not carry it.
"""

from typing import Annotated, Any, Literal, NamedTuple, assert_never, get_args

import msgspec

from driftloop.contracts.values import Time

FeatureType = Literal["number", "integer", "boolean", "category", "datetime"]
TargetType = Literal["number", "boolean", "category"]
Task = Literal["regression", "binary", "multiclass"]
# Of a time, in UTC: month 1 to 12, day and day_of_year from 1, weekday 0 (Monday) to 6; epoch_days since 1970-01-01, with fraction.
DatetimePart = Literal["year", "month", "day", "day_of_year", "weekday", "hour", "minute", "second", "epoch_days"]
_SUCH_AS = "RFC 3339 with an offset, such as 2026-05-01T08:00:00Z"


class ColumnType(NamedTuple):
    """One type. Null stands for a missing value in each of them."""

    words: str  # what a value is, for people
    json: Any  # what a JSON value must be, for msgspec
    json_name: str  # and how msgspec calls that in an error
    json_words: tuple[str, str]  # what was expected, for people; the second where null may stand, too
    arrow: str  # Arrow's name of the type, as pyarrow writes it
    ordered: bool  # more and less mean something: profiled on quantile bins; else value by value
    task: Task | None  # of a target of this type; null: it cannot be predicted
    parts: tuple[str, ...] = ()  # numbers that a model can be given instead of the value


def column_type(name: FeatureType) -> ColumnType:
    match name:
        case "number":
            return ColumnType(
                words="a number",
                json=float,
                json_name="float",
                json_words=("a number", "a number or null"),
                arrow="double",
                ordered=True,
                task="regression",
            )
        case "integer":
            return ColumnType(
                words="a whole number",
                json=Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)],
                json_name="int",
                json_words=("a whole number", "a whole number or null"),
                arrow="int64",
                ordered=True,
                task=None,
            )
        case "boolean":
            return ColumnType(
                words="a boolean",
                json=bool,
                json_name="bool",
                json_words=("true or false", "true, false or null"),
                arrow="bool",
                ordered=True,  # false is 0, true is 1
                task="binary",
            )
        case "category":
            return ColumnType(
                words="a category",
                json=str,
                json_name="str",
                json_words=("a string", "a string or null"),
                arrow="string",
                ordered=False,
                task="multiclass",
            )
        case "datetime":
            return ColumnType(
                words="a time",
                json=Time,
                json_name="datetime",
                json_words=(f"a time ({_SUCH_AS})", f"a time ({_SUCH_AS}) or null"),
                arrow="timestamp[us, tz=UTC]",
                ordered=True,  # as seconds since 1970-01-01 in UTC
                task=None,
                parts=get_args(DatetimePart),
            )
        case _:
            assert_never(name)


COLUMN_TYPES: dict[FeatureType, ColumnType] = {name: column_type(name) for name in get_args(FeatureType)}
TARGET_TASKS: dict[TargetType, Task] = {name: task for name in get_args(TargetType) if (task := column_type(name).task) is not None}
