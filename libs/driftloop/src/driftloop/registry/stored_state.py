"""The registry's state as bytes, for processes that want to go on from it. Pure; the log stays what it is made of."""

import msgspec

from driftloop.registry.persistent_map import PersistentMap
from driftloop.registry.records import Alias, ApprovalStatus, LogEntry, ModelVersion, ProjectRef
from driftloop.registry.state import ModelState, RegistryState


class _Model(msgspec.Struct, frozen=True, kw_only=True):
    """``history_from``: offset of the first command in the model's history; those before it were refused for want of a model."""

    model: str
    project: ProjectRef | None
    versions: tuple[ModelVersion, ...]
    aliases: dict[str, Alias]
    standings: dict[int, ApprovalStatus]
    history_from: int


class _State(msgspec.Struct, frozen=True, kw_only=True):
    models: list[_Model]
    next_offset: int
    entries: list[LogEntry]


def encode_state(state: RegistryState) -> bytes:
    """Each command once, however many maps hold it."""
    models = [
        _Model(
            model=model.model,
            project=model.project,
            versions=model.versions,
            aliases=model.aliases,
            standings=model.standings,
            history_from=next((entry.offset for entry in model.history.values()), state.next_offset),
        )
        for model in state.models.values()
    ]
    return msgspec.msgpack.encode(_State(models=models, next_offset=state.next_offset, entries=list(state.entries.values())))


def decode_state(data: bytes) -> RegistryState:
    """A state equal to the one that was encoded, and that folds on as it would. Raises ValueError when the bytes are none."""
    found = msgspec.msgpack.decode(data, type=_State)
    by_model: dict[str, list[LogEntry]] = {}
    for entry in found.entries:
        by_model.setdefault(entry.model, []).append(entry)
    models = {
        m.model: ModelState(
            model=m.model,
            project=m.project,
            versions=m.versions,
            aliases=m.aliases,
            standings=m.standings,
            requests=PersistentMap.of({version.request_id: version.version for version in m.versions}),
            history=PersistentMap.of({e.command_id: e for e in by_model.get(m.model, ()) if e.offset >= m.history_from}),
        )
        for m in found.models
    }
    entries = PersistentMap.of({entry.command_id: entry for entry in found.entries})
    return RegistryState(models=models, next_offset=found.next_offset, entries=entries)
