"""What the pages of the console are made of."""

from collections.abc import Callable
from typing import Any, NamedTuple

from driftloop.registry.state import RegistryState
from driftloop_console import commands
from driftloop_console.asking import Questions
from driftloop_console.freshness import Freshness
from driftloop_console.pages.data import Where
from driftloop_console.policies import Policies
from driftloop_console.record import ConsoleFold
from driftloop_console.rounds import Rounds
from driftloop_console.streams import Streams
from driftloop_console.view import View


class Desk(NamedTuple):
    """What pages are made of."""

    record: ConsoleFold
    registry: Callable[[], RegistryState]
    freshness: Freshness
    ask: Questions
    command: Callable[[commands.Call], dict[str, Any]]
    rounds: Rounds
    policies: Policies
    streams: Streams
    store: Where = Where()

    def model_names(self) -> list[str]:
        with self.record.reading() as record:
            told = list(record.models)
        return sorted({*self.registry().models, *told})

    def model_of(self, view: View) -> str | None:
        """The one that the address names, else the first; None while there is none."""
        return view.model or next(iter(self.model_names()), None)
