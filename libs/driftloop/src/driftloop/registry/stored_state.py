"""The registry's state as bytes, for processes that want to go on from it. Pure; the log stays what it is made of."""

import msgspec

from driftloop.contracts.typed import prepared
from driftloop.registry.entries import Answers, Entries, Known
from driftloop.registry.persistent_map import PersistentMap, ReplacingMap
from driftloop.registry.records import (
    Alias,
    ApprovalStatus,
    CanaryRecord,
    LogEntry,
    ModelVersion,
    ProjectRef,
    RecalibrationRecord,
    RefusedRun,
    sharing,
)
from driftloop.registry.refused_ids import RefusedIds
from driftloop.registry.state import ModelState, RegistryState


class _Entry(msgspec.Struct, frozen=True):
    """A command that had an effect, and the digest of what it asked for."""

    entry: LogEntry
    asks: bytes


class _Model(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    project: ProjectRef | None
    versions: tuple[ModelVersion, ...]
    aliases: list[Alias]
    standings: dict[int, ApprovalStatus]
    refused_runs: list[RefusedRun]
    refused: tuple[LogEntry, ...]
    recalibrations: tuple[RecalibrationRecord, ...] = ()


class _State(msgspec.Struct, frozen=True, kw_only=True):
    models: list[_Model]
    next_offset: int
    answered: list[msgspec.Raw]  # of ``_Entry``: made one by one, so that there are never two of all
    strays: tuple[LogEntry, ...]
    refused_ids: bytes
    refused_chain: str


def encode_state(state: RegistryState) -> bytes:
    """Each command once, however many maps hold it."""
    models = [
        _Model(
            model=model.model,
            project=model.project,
            versions=model.versions,
            aliases=list(model.aliases.values()),
            standings=model.standings,
            refused_runs=list(model.refused_runs.values()),
            refused=model.history.refused,
            recalibrations=tuple(model.recalibrations.values()),
        )
        for model in state.models.values()
    ]
    answers = state.answers
    known = [*answers.answered.values(), *answers.namesakes.values()]
    return msgspec.msgpack.encode(
        _State(
            models=models,
            next_offset=state.next_offset,
            answered=[
                msgspec.Raw(msgspec.msgpack.encode(_Entry(found.entry, found.asks)))
                for found in sorted(known, key=lambda found: found.entry.offset)
            ],
            strays=state.strays.refused,
            refused_ids=answers.refused.stored(),
            refused_chain=answers.refused.chain,
        )
    )


def _canaries(history: dict[int, LogEntry]) -> dict[int, CanaryRecord]:
    """By epoch, oldest first."""
    records = (history[offset].canary for offset in sorted(history))
    return {record.epoch: record for record in records if record is not msgspec.UNSET}


def decode_state(data: bytes) -> RegistryState:
    """A state equal to the one that was encoded, and that folds on as it would. Raises ValueError when the bytes are none."""
    found = msgspec.msgpack.decode(data, type=prepared(_State))
    histories: dict[str, dict[int, LogEntry]] = {model.model: {} for model in found.models}
    first, namesakes = dict[str, Known](), dict[tuple[str, bytes], Known]()
    for raw in found.answered:
        stored = msgspec.msgpack.decode(raw, type=prepared(_Entry))
        entry = sharing(stored.entry)
        known = Known(entry, stored.asks)
        histories[entry.model][entry.offset] = entry
        if first.setdefault(entry.command_id, known) is not known:
            namesakes[(entry.command_id, stored.asks)] = known
    models = {
        m.model: ModelState(
            model=m.model,
            project=m.project,
            versions=m.versions,
            aliases=ReplacingMap.of({alias.name: alias for alias in m.aliases}),
            standings=m.standings,
            requests=PersistentMap.of({version.request_id: version.version for version in m.versions}),
            refused_runs=PersistentMap.of({run.request_id: run for run in m.refused_runs}),
            history=Entries(PersistentMap.of(histories[m.model]), m.refused),
            recalibrations=PersistentMap.of({record.epoch: record for record in m.recalibrations}),
            canaries=PersistentMap.of(_canaries(histories[m.model])),
        )
        for m in found.models
    }
    refused = RefusedIds.of(found.refused_ids, found.refused_chain)
    answers = Answers(PersistentMap.of(first), PersistentMap.of(namesakes), refused)
    return RegistryState(models=models, next_offset=found.next_offset, answers=answers, strays=Entries(refused=found.strays))
