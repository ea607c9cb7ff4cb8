"""*Quarantine*: what was rejected, by reason and one by one, and what would become of it, sent again. All is read from the topic."""

from typing import Any

from driftloop.registry.state import RegistryState
from driftloop_console.asking import Questions
from driftloop_console.data_questions import RejectedMessages, RejectedOne
from driftloop_console.pages.data import stream_of
from driftloop_console.pages.models import found
from driftloop_console.redrive_form import redriving_of
from driftloop_console.view import NotFound, View

SHOWN, MOST = 50, 500
COUNTS = ("sent", "refused", "before")


def quarantine(registry: RegistryState, ask: Questions, view: View, model: str) -> dict[str, Any]:
    """``reason`` in the address: its messages alone."""
    stream, reason = stream_of(found(registry, model)), view.text("because")
    skip = view.whole("skip", 0, least=0, most=10_000_000)
    told = ask(RejectedMessages(stream=stream, reason=reason, skip=skip, most=view.whole("entries", SHOWN, least=1, most=MOST)))
    done = {name: view.whole(name, 0, least=0, most=10**8) for name in COUNTS} if view.text("told") == "done" else None
    return {"model": model, "stream": stream, "because": reason, "done": done, **told}


def message(registry: RegistryState, ask: Questions, view: View, model: str) -> dict[str, Any]:
    """One, as it was sent."""
    stream, wanted = stream_of(found(registry, model)), view.text("id")
    if wanted is None:
        raise NotFound("which message? The address says it as id=")
    return {"model": model, "stream": stream, **ask(RejectedOne(stream=stream, id=wanted))}


def redrive(registry: RegistryState, ask: Questions, view: View, model: str) -> dict[str, Any]:
    """What would become of the chosen messages, before anything is sent."""
    stream = stream_of(found(registry, model))
    asked = redriving_of(view.asked, stream, send=False)
    return {
        "model": model,
        "stream": stream,
        "ids": asked.ids,
        "because": asked.reason,
        "set": "\n".join(asked.fields),
        "again": asked.again,
        **ask(asked),
    }
