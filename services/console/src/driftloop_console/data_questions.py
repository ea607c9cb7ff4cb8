"""Questions about data that only the store and the topics of a stream can answer, and the one order that goes the same way."""

import msgspec


class DataDiff(msgspec.Struct, frozen=True, tag=True):
    """Two versions of data, as ``driftloop datasets diff`` takes them."""

    a: str
    b: str


class RejectedMessages(msgspec.Struct, frozen=True, tag=True):
    """Of one stream; ``reason``: those whose reason is this. ``skip`` and ``most``: which part, newest first."""

    stream: str
    reason: str | None = None
    skip: int = 0
    most: int = 50


class RejectedOne(msgspec.Struct, frozen=True, tag=True):
    stream: str
    id: str


class Redriving(msgspec.Struct, frozen=True, tag=True):
    """Messages of quarantine to be sent again: what would become of them, and with ``send`` the same done.

    ``ids``, or all of one ``reason``. ``fields``: PATH=VALUE each; none: as they were.
    """

    stream: str
    ids: tuple[str, ...] = ()
    reason: str | None = None
    fields: tuple[str, ...] = ()
    again: bool = False
    send: bool = False
    why: str = ""
    by: str = ""


DataQuestion = DataDiff | RejectedMessages | RejectedOne | Redriving
