"""Which columns name things: the row itself, and what must not be on both sides of the split."""

from collections.abc import Collection, Sequence

from driftloop.errors import UserError
from driftloop.proposal.facts import ColumnFacts
from driftloop.proposal.wishes import NONE, Unsure, Wishes, option

ENTITY_WORDS = (
    "user",
    "customer",
    "client",
    "account",
    "device",
    "machine",
    "sensor",
    "station",
    "store",
    "shop",
    "vehicle",
    "driver",
    "patient",
    "host",
)
ROWS_EACH = 2.0  # of an entity, on average: fewer, and it is an id of the row


def every_value_its_own(column: ColumnFacts) -> bool:
    """Of text and whole numbers: numbers and times differ from row to row as a matter of course."""
    return column.kind in ("category", "integer") and column.known > 1 and column.distinct == column.known


def choose_event_id(facts: Sequence[ColumnFacts], taken: Collection[str], wishes: Wishes) -> tuple[str | None, str]:
    """The column that is the row's id, or None: then rows are numbered. Raises UserError."""
    if wishes.event_id == NONE:
        return None, "as stated"
    if wishes.event_id is not None:
        column = _known(facts, wishes.event_id, "event_id")
        if column.distinct < column.rows:
            told = f"{column.name!r} has {column.distinct:,} different values in {column.rows:,} rows"
            raise UserError(f"{option('event_id')}: {told}: an id has one each")
        return column.name, "as stated"
    own = [column for column in facts if column.name not in taken and every_value_its_own(column) and not column.missing]
    named = [column for column in own if _ends_in_id(column.name)] or [column for column in own if column.kind == "category"]
    return (named[0].name, "every row has a value of its own") if named else (None, "rows are numbered")


def choose_entity(facts: Sequence[ColumnFacts], taken: Collection[str], wishes: Wishes) -> tuple[tuple[str, ...], str]:
    """What rows that belong together share, or nothing. Raises Unsure, UserError."""
    if wishes.entity == (NONE,):
        return (), "as stated"
    if wishes.entity:
        return tuple(_known(facts, name, "entity").name for name in wishes.entity), "as stated"
    repeated = [
        column
        for column in facts
        if column.name not in taken
        and column.kind in ("category", "integer")
        and column.distinct > 1
        and column.known / column.distinct >= ROWS_EACH
        and (_ends_in_id(column.name) or column.name.lower() in ENTITY_WORDS)
    ]
    if len(repeated) > 1:
        question = "several columns name what a row is about: rows with one value are never on both sides of the split"
        raise Unsure("entity", question, (*(column.name for column in repeated), NONE))
    if repeated:
        return (repeated[0].name,), f"{repeated[0].distinct:,} different values in {repeated[0].known:,} rows, and its name"
    return (), "no column names what a row is about: each row is its own"


def _ends_in_id(name: str) -> bool:
    lower = name.lower()
    return (
        lower in ("id", "uuid", "guid")
        or lower.endswith(("_id", "-id", " id", ".id", "_key", "_uuid", "_no"))
        or name.endswith(("Id", "ID"))
    )


def _known(facts: Sequence[ColumnFacts], name: str, role: str) -> ColumnFacts:
    found = next((column for column in facts if column.name == name), None)
    if found is None:
        raise UserError(f"{option(role)}: the file has no column {name!r}; it has {', '.join(column.name for column in facts[:40])}")
    return found
