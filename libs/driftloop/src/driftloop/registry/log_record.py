"""One record of ``registry-log`` as every reader takes it: the command, and when it can have been given."""

from datetime import UTC, datetime, timedelta

import msgspec

from driftloop.contracts.commands import Command
from driftloop.ports import Record
from driftloop.registry.fold import fold
from driftloop.registry.state import RegistryState

# How far a caller's clock may be ahead of the time that the log gives a record; a broker lets a producer's be as much ahead.
# An alias never gets an older ``since`` than it had: one command of the year 9999 would otherwise hold it there for ever.
CLOCK_SKEW = timedelta(hours=1)


def fold_record(state: RegistryState, command: Command, record: Record) -> RegistryState:
    """The state after the record that holds this command."""
    if record.timestamp_ms > 0:
        latest = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC) + CLOCK_SKEW
        command = command if command.at <= latest else msgspec.structs.replace(command, at=latest)
    after, _ = fold(state, command, record.offset)
    return after
