"""One record of ``registry-log`` as every reader takes it: the command in it, or nothing."""

from datetime import UTC, datetime, timedelta

import msgspec

from driftloop.contracts.codec import decode_event
from driftloop.contracts.commands import Command
from driftloop.errors import InvalidMessage
from driftloop.ports import Record
from driftloop.registry.fold import fold
from driftloop.registry.state import RegistryState

# How far a caller's clock may be ahead of the time that the log gives a record; a broker lets a producer's be as much ahead.
# An alias never gets an older ``since`` than it had: one command of the year 9999 would otherwise hold it there for ever.
CLOCK_SKEW = timedelta(hours=1)


def folded_record(state: RegistryState, record: Record) -> RegistryState:
    """The state after one record. Raises InvalidMessage for one that holds no command: pass it over with ``RegistryState.skip``."""
    event, _ = decode_event(record.value, record.headers)
    if not isinstance(event, Command):
        raise InvalidMessage(f"{type(event).__name__} is no command")
    if record.timestamp_ms > 0:
        latest = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC) + CLOCK_SKEW
        event = event if event.at <= latest else msgspec.structs.replace(event, at=latest)
    after, _ = fold(state, event, record.offset)
    return after
