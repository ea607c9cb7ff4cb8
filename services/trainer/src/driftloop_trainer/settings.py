"""The trainer's own settings, ``DRIFTLOOP_TRAINER_<NAME>``."""

from pathlib import Path

import msgspec

from driftloop.contracts.services import TRAINER
from driftloop.history.requests import STARTS_KEPT
from driftloop.service.settings import StoreSettings, store_settings
from driftloop.settings import Environment


class TrainerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a trainer reads from its environment."""

    common: StoreSettings
    max_poll_interval_seconds: int  # MAX_POLL_INTERVAL_SECONDS: a training may last longer, the loop polls meanwhile

    runs_per_day: int  # RUNS_PER_DAY, of each model; 0: no limit

    @property
    def work(self) -> Path:
        """Where runs keep their rows and files until they are stored; emptied at start."""
        return self.common.state_dir / self.common.instance / "runs"


def trainer_settings() -> TrainerSettings:
    """Raises ConfigurationError naming the first setting that is missing or wrong."""
    env = Environment(TRAINER.name)
    return TrainerSettings(
        common=store_settings(TRAINER),
        max_poll_interval_seconds=env.integer("MAX_POLL_INTERVAL_SECONDS", 300, minimum=1),
        runs_per_day=env.integer("RUNS_PER_DAY", 200, minimum=0, maximum=STARTS_KEPT),
    )
