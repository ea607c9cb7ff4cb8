"""What ``/readyz`` and ``/status`` answer."""

from typing import Any

from driftloop_notifier.deliveries import Deliveries
from driftloop_notifier.handlers import Notifier
from driftloop_notifier.rules import RuleBook


class NotifierHealth:
    """Ready once the record has been folded to its end; it then stays so while the broker is away."""

    def __init__(self, instance: str, watches: bool) -> None:
        self._instance, self._watches = instance, watches
        self.notifier: Notifier | None = None
        self.deliveries: Deliveries | None = None
        self.rules: RuleBook | None = None

    def ready(self) -> tuple[bool, dict[str, Any]]:
        if self.notifier is not None and self.notifier.caught_up:
            return True, {}
        trouble = self.notifier.trouble if self.notifier is not None else ""
        return False, {"reason": "the record is still being read" + (f": {trouble}" if trouble else "")}

    def status(self) -> dict[str, Any]:
        told: dict[str, Any] = {"service": "notifier", "instance": self._instance, "watches_services": self._watches}
        if self.notifier is None or self.deliveries is None or self.rules is None:
            return told
        memory = self.notifier.fold.memory
        return told | {
            "rules": [{"project": one.project, "to": one.rule.destination, "events": one.rule.events} for one in self.notifier.addressees],
            "rules_not_read": dict(self.rules.troubles),
            "waiting": len(memory.pending),
            "dead": len(memory.dead),
            "not_taken": self.deliveries.waiting(),
            "trouble": self.notifier.trouble,
        }
