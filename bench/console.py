"""The console over 10,000 windows × 50 columns × 20 versions: what it keeps, how fast it starts, and what each page takes."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np

from bench.console_events import DIGEST, commit, loop
from bench.console_events import drift as drift_report
from bench.figures import Aim, Figure, Limit
from bench.surroundings import Surroundings
from driftloop.contracts.events import DriftReported
from driftloop.contracts.values import PromotionRules
from driftloop.project.rules import Policy
from driftloop.registry.records import ProjectRef
from driftloop.registry.state import ModelState, RegistryState
from driftloop_console.html import Html
from driftloop_console.pages import data, drift, journal, now, performance, what_if
from driftloop_console.record import ConsoleFold
from driftloop_console.retrain_record import decisions
from driftloop_console.rounds import Rounds
from driftloop_console.view import view_of

WINDOWS, COLUMNS, VERSIONS = 10_000, 50, 20
MODEL = "shop"
FIRST_VIEW_MS = 200.0
ROUNDS = 7
PROJECT = ProjectRef(project=MODEL, stream=MODEL, model=MODEL, archive="a" * 64, schema_fingerprint="b" * 64, promotion=PromotionRules())
OF = f"{WINDOWS:,} windows × {COLUMNS} columns × {VERSIONS} versions"


def measure(_: Surroundings) -> Iterator[Figure]:
    record, folding = ConsoleFold(), 0.0
    for event, about in loop(WINDOWS, COLUMNS, VERSIONS):
        began = time.process_time()
        record.add(event, about)
        folding += time.process_time() - began
    yield Figure(
        name="console-memory",
        what=f"the tables of {OF}",
        value=record.nbytes / 1e6,
        unit="MB",
        limit=Limit("a byte a cell, and nothing else", WINDOWS * COLUMNS / 1e6),
    )
    yield Figure(
        name="console-fold",
        what="events folded, drift reports and all others together",
        value=record.events / folding,
        unit="events/s of one core",
        limit=Limit("decoding a drift report of as many columns", 1 / _seconds(_decoding())),
    )
    stored, again = record.stored(), ConsoleFold()
    yield Figure(
        name="console-start",
        what=f"a checkpoint of {len(stored) / 1e6:.1f} MB restored",
        value=1000 * _seconds(lambda: again.restore(stored)),
        unit="ms of one core",
        limit=Limit("copying its bytes", 1000 * _seconds(lambda: bytearray(stored))),
    )
    html, view, registry = Html(), view_of({}), _registered()
    for n in range(WINDOWS):
        again.add(*commit(n, MODEL))
    around = {"path": "/", "view": view, "models": [MODEL], "current": MODEL, "notices": [], "as_of": None, "key": ""}
    pages: dict[str, Callable[[], dict[str, Any]]] = {
        "journal": lambda: journal.journal(again, RegistryState(), view),
        "performance": lambda: performance.performance(again, view, MODEL),
        "drift": lambda: drift.drift(again, view, MODEL),
        "feature": lambda: drift.feature(again, view, MODEL, "f0"),
        "data": lambda: data.data(again, registry, data.Where(), view, MODEL),
        "now": lambda: now.now(again, RegistryState(), Rounds(""), view),  # services aside, which answer when they do
    }
    for name, content in pages.items():
        said = content()

        def first_view(name: str = name, content: Callable[[], dict[str, Any]] = content) -> None:
            found = content()
            html.render(f"{name}.html", page=found, **around)
            msgspec.json.encode(found)

        yield Figure(
            name=f"console-{name}",
            what=f"the page and its JSON, of {OF}",
            value=1000 * _seconds(first_view),
            unit="ms of one core",
            limit=Limit("encoding what it says as JSON, and nothing else", 1000 * _seconds(lambda said=said: msgspec.json.encode(said))),
            aim=Aim(FIRST_VIEW_MS, "at most"),
        )

    yield _what_if(again)


def _what_if(record: ConsoleFold) -> Figure:
    """The slider, with the policy that a project has that says nothing but that drift counts."""
    state = RegistryState(models={MODEL: ModelState(model=MODEL, project=PROJECT)})
    policy, moved = Policy(triggers=("drift",)), view_of({"threshold": "50"})
    return Figure(
        name="console-what-if",
        what=f"what would have been otherwise at half of the threshold, of {OF}",
        value=1000 * _seconds(lambda: what_if.what_if(record, state, lambda _: policy, moved, MODEL)),
        unit="ms of one core",
        limit=Limit("reading the decisions that are kept", 1000 * _seconds(lambda: decisions(MODEL, record.retrains.encoded(MODEL)))),
    )


def _registered() -> RegistryState:
    project = ProjectRef(project=MODEL, stream=MODEL, model=MODEL, archive=DIGEST, schema_fingerprint=DIGEST, promotion=PromotionRules())
    return RegistryState(models={MODEL: ModelState(model=MODEL, project=project)})


def _decoding() -> Callable[[], object]:
    encoded = msgspec.json.encode(drift_report(0, 1, COLUMNS, np.random.default_rng(0)))
    decoder = msgspec.json.Decoder(DriftReported)
    return lambda: decoder.decode(encoded)


def _seconds(work: Callable[[], object]) -> float:
    """The least of several rounds."""
    taken = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return max(min(taken), 1e-7)
