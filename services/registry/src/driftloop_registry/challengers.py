"""A candidate that did not become champion answers beside it from then on, where the project says so."""

from driftloop.contracts.codec import caused_id
from driftloop.contracts.commands import MoveAlias
from driftloop.contracts.events import TrainingCompleted
from driftloop.ports import Clock
from driftloop.registry.fold import CHALLENGER, Outcome, RegistryReader
from driftloop.telemetry import get_logger
from driftloop_registry.command_log import CommandLog
from driftloop_registry.project_settings import ProjectSettings

log = get_logger(__name__)


class Challengers:
    """``[serving] shadow = "candidates"``. Asks the fold, under an id that comes from the request: a repeat does nothing twice."""

    def __init__(self, commands: CommandLog, reader: RegistryReader, settings: ProjectSettings, clock: Clock) -> None:
        self._commands, self._reader, self._settings, self._clock = commands, reader, settings, clock

    def challenge(self, event: TrainingCompleted, promoted: Outcome, actor: str) -> None:
        """``promoted``: the first outcome of the run's promotion. Of a run that is no longer the newest, or whose champion has moved
        since, nobody wants to know more. Raises TransientError."""
        state = self._reader.state()
        model, command_id = state.model(event.model), caused_id("challenge", event.request_id)
        version = None if model is None else model.by_request(event.request_id)
        if model is None or model.project is None or version is None or promoted.accepted or state.outcome(command_id) is not None:
            return
        outdated = version.version != len(model.versions) or event.pins.champion_epoch != model.champion_epoch
        if outdated or model.champion is None or model.state_of(version.version) in ("rejected", "deleted"):
            return
        project = self._settings.of(model.project)
        if project is None or project.serving.shadow != "candidates":
            return
        outcome = self._commands.append(
            MoveAlias(
                command_id=command_id,
                at=self._clock.now(),
                actor=actor,
                reason=f"did not become champion: {promoted.reason}",
                model=event.model,
                alias=CHALLENGER,
                version=version.version,
                expected_epoch=model.epoch(CHALLENGER),
            )
        )
        log.info("challenger-named", model=event.model, version=version.version, accepted=outcome.accepted, reason=outcome.reason)
