"""What answers now, as values."""

from typing import NamedTuple

from driftloop.artifact.scoring import Scorer
from driftloop.contracts.canary import canary_rule, champion_rule
from driftloop.contracts.recalibration import Recalibration
from driftloop_predictor.last_good import KeptCanary, KeptModel
from driftloop_predictor.watching import Watching


class CanaryModel(NamedTuple):
    """The version that answers ``share`` of 10,000 buckets of the entities, by the registry's record of this epoch."""

    version: int
    epoch: int
    share: int
    digest: str  # of the manifest
    scorer: Scorer

    @property
    def rule(self) -> str:
        return canary_rule(self.share, self.epoch)


class ScoringModel(NamedTuple):
    """The model that scores now, how its answers are corrected, and who answers a share of the entities in its place; replaced as a
    whole, so one batch sees one version of it all."""

    model: str
    version: int
    epoch: int  # of the champion alias
    digest: str  # of the manifest
    scorer: Scorer
    recalibration_epoch: int = 0  # of the model's newest record of recalibration, in force or not
    recalibration: Recalibration | None = None  # that is in force
    canary_epoch: int = 0  # of the model's newest record of a canary, in force or not
    canary: CanaryModel | None = None  # that is in force

    @property
    def place(self) -> tuple[int, int, int]:
        """What is served only ever goes on to a later one."""
        return self.epoch, self.recalibration_epoch, self.canary_epoch

    @property
    def rule(self) -> str:
        """Which rule gives a row this version, as the row has it."""
        return champion_rule(self.epoch) if self.canary is None else champion_rule(self.epoch, self.canary.share, self.canary.epoch)

    @property
    def corrected_by(self) -> int | None:
        """The epoch of the recalibration that answers are corrected by; None: they are the model's own."""
        return self.recalibration_epoch if self.recalibration is not None else None


Answerer = ScoringModel | Watching


def pointer_to(serving: ScoringModel) -> KeptModel:
    """What is kept on disk of it, beside the files: a start goes on as this process did."""
    found = serving.canary
    canary = None
    if found is not None:
        canary = KeptCanary(version=found.version, epoch=found.epoch, share=found.share, manifest=found.digest)
    return KeptModel(
        model=serving.model,
        version=serving.version,
        epoch=serving.epoch,
        manifest=serving.digest,
        recalibration_epoch=serving.recalibration_epoch,
        recalibration=serving.recalibration,
        canary_epoch=serving.canary_epoch,
        canary=canary,
    )
