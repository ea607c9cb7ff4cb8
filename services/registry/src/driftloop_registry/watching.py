"""What the registry does when traffic names a version that is served elsewhere, or a person chooses what one is compared with."""

from driftloop.contracts.codec import Envelope, caused_id
from driftloop.contracts.commands import WatchVersion
from driftloop.contracts.events import VersionSeen
from driftloop.contracts.watched import Reference, reference_key
from driftloop.errors import IntegrityError, ObjectNotFound
from driftloop.ports import Clock
from driftloop.registry.dry_run import answer_without_record
from driftloop.registry.fold import RegistryReader
from driftloop.stored import read_verified
from driftloop_registry.command_log import CommandLog
from driftloop_registry.stored_models import Store

ACTOR = "driftloop/registry"
REASON = "traffic named it"
MAX_PROFILE_BYTES = 64 * 1024 * 1024


class VersionsSeen:
    """Handles ``versions-seen``. One command for each name, however often it is seen."""

    def __init__(self, commands: CommandLog, reader: RegistryReader, clock: Clock) -> None:
        self._commands, self._reader, self._clock = commands, reader, clock

    def on_version_seen(self, event: VersionSeen, _about: Envelope) -> None:
        command = WatchVersion(
            command_id=caused_id("watch", event.model, event.served_as),
            at=self._clock.now(),
            actor=ACTOR,
            reason=REASON,
            model=event.model,
            served_as=event.served_as,
        )
        if answer_without_record(self._reader.state(), command) is None:
            self._commands.append(command)


def problem_with_reference(store: Store, model: str, reference: Reference) -> str | None:
    """Why windows cannot be compared with it; None when its profile is there and verifies. Raises TransientError."""
    key = reference_key(model, reference.profile)
    try:
        size = store.stat(key).size
        if size > MAX_PROFILE_BYTES:
            return f"{key} has {size} bytes, expected at most {MAX_PROFILE_BYTES}"
        read_verified(store, key, reference.profile)  # what is in it the monitor reads, which has the means
    except ObjectNotFound:
        return f"the store holds no {key}"
    except IntegrityError as exc:
        return str(exc)
    return None
