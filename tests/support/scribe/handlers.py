"""What the scribe does when something was decided: it notes the decision down, once."""

from pathlib import Path

from driftloop.contracts.codec import Envelope
from driftloop.contracts.events import DecisionMade


class Notes:
    """A line per decision: its id and what was decided."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def on_decision_made(self, event: DecisionMade, about: Envelope) -> None:
        with self._file.open("a", encoding="utf-8") as notes:
            notes.write(f"{about.id} {event.kind} {event.accepted}\n")
