"""What ``/readyz`` and ``/status`` answer."""

from pathlib import Path
from typing import Any

from driftloop.service.project import FollowedRegistry
from driftloop_registry.view_keeper import ViewKeeper


class RegistryHealth:
    """Ready once the log has been folded to its end."""

    def __init__(self, instance: str, registry: FollowedRegistry, database: Path, keeper: ViewKeeper) -> None:
        self._instance, self._registry, self._database, self._keeper = instance, registry, database, keeper

    def ready(self) -> tuple[bool, dict[str, Any]]:
        return self._registry.caught_up, {"offset": self._registry.state().next_offset}

    def status(self) -> dict[str, Any]:
        state = self._registry.state()
        return {
            "service": "registry",
            "instance": self._instance,
            "offset": state.next_offset,
            "epochs": {name: {alias: a.epoch for alias, a in model.aliases.items()} for name, model in state.models.items()},
            "database": {"path": str(self._database), "rebuilds": self._keeper.rebuilds},
        }
