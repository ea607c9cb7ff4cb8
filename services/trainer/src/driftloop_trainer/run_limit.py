"""How many runs of a model a trainer starts in a day, whoever asks for them: requests come from whoever can write to the topic."""

from datetime import timedelta

from driftloop.errors import UserError
from driftloop.history.model_history import ModelHistory
from driftloop.ports import Clock

DAY = timedelta(days=1)


class RunLimit:
    """Counts the runs on record, of all trainers together. ``runs_per_day`` 0: no limit."""

    def __init__(self, history: ModelHistory, runs_per_day: int, clock: Clock) -> None:
        self._history, self._runs_per_day, self._clock = history, runs_per_day, clock

    def check(self, model: str) -> None:
        """Raises UserError when one more is one too many."""
        if not self._runs_per_day:
            return
        starts = self._history.starts_since(model, self._clock.now() - DAY)
        if len(starts) >= self._runs_per_day:
            again = starts[-self._runs_per_day] + DAY
            raise UserError(
                f"{len(starts)} runs of {model} were started in the last 24 hours, and DRIFTLOOP_TRAINER_RUNS_PER_DAY is "
                f"{self._runs_per_day}: see what asks for them with `driftloop models runs {model}`; the next may start at "
                f"{again.isoformat()}"
            )
