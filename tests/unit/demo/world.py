"""What the loop says, put together by hand: a broker in memory, a registry, and the model's history over them."""

from datetime import UTC, datetime, timedelta

import msgspec

from driftloop.adapters.memory import MemoryBroker
from driftloop.contracts.codec import encode_event, envelope
from driftloop.contracts.commands import PromoteVersion, RegisterProject, RegisterVersion
from driftloop.contracts.events import DecisionMade, Event, RetrainRequested, TrainingCompleted, TrainingFailed, TrainingStarted
from driftloop.contracts.values import GateMeasurements, PromotionRules, TrainingPins, Window
from driftloop.history.events import Events
from driftloop.history.lake_lag import Lag, TopicLag
from driftloop.history.log_reader import LogReader
from driftloop.history.model_history import LOOP_TOPICS, ModelHistory
from driftloop.monitoring.evidence import Evidence
from driftloop.registry.fold import RegistryState, fold

MODEL = "late"
NOON = datetime(2026, 5, 3, 12, tzinfo=UTC)
WINDOW = Window(start=datetime(2013, 2, 1, tzinfo=UTC), end=datetime(2013, 3, 1, tzinfo=UTC))
PINS = TrainingPins(
    snapshot="a" * 64,
    project="b" * 64,
    environment="c" * 64,
    code="1",
    seed=0,
    threads=1,
    evaluation_window=WINDOW,
    champion_version=None,
    champion_epoch=0,
)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def behind(requests: int, labels: int) -> Lag:
    requests_lag, labels_lag = (
        TopicLag(topic=t, end=lag, in_lake=0, lag=lag) for t, lag in (("s.requests", requests), ("s.labels", labels))
    )
    return Lag(requests_lag, TopicLag(topic="s.inferences", end=0, in_lake=0, lag=0), labels_lag)


class World:
    """Says things as the services do, each at a number of seconds after NOON."""

    def __init__(self) -> None:
        self.broker = MemoryBroker()
        for topic in LOOP_TOPICS:
            self.broker.create_topic(topic)
        self.read_as(MODEL)
        self.lag = behind(0, 0)
        self._state = RegistryState()
        self._command(
            RegisterProject(
                command_id="p", at=NOON, actor="t", reason="", project="p", stream="s", model=MODEL, archive="d" * 64,
                schema_fingerprint="e" * 64, promotion=PromotionRules(),
            )
        )  # fmt: skip

    def read_as(self, model: str) -> None:
        self.history = ModelHistory(model)
        self.reader = LogReader(self.broker, LOOP_TOPICS, Events(self.history))

    def say(self, topic: str, event: Event, *, id: str, seconds: float = 0) -> None:
        value, headers = encode_event(event, envelope(event, id=id, source="t", subject=MODEL, time=after(seconds)))
        self.broker.producer().send(topic, value, key=MODEL.encode(), headers=headers)

    def decide(self, *, accepted: bool, request_id: str | None = None, window: Window = WINDOW, seconds: float = 0) -> None:
        evidence = Evidence(window=window, version=1, rows=1, labelled=1, drifted=False, metric="roc_auc")
        decision = DecisionMade(
            model=MODEL, kind="retrain", accepted=accepted, reason="r", window=window, rule="f" * 64,
            evidence=msgspec.to_builtins(evidence), request_id=request_id,
        )  # fmt: skip
        self.say("decisions", decision, id=f"d-{window.end}", seconds=seconds)

    def request(self, request_id: str, seconds: float = 0) -> None:
        wanted = RetrainRequested(model=MODEL, reason="window", detail="", window=WINDOW, requested_by="monitor")
        self.say("retrain-requests", wanted, id=request_id, seconds=seconds)

    def start(self, request_id: str, seconds: float = 0) -> None:
        self.say(
            "training-runs",
            TrainingStarted(model=MODEL, request_id=request_id, answers=(request_id,), pins=PINS),
            id=f"s-{request_id}",
            seconds=seconds,
        )

    def complete(self, request_id: str, *, answers: tuple[str, ...] = (), seconds: float = 0) -> None:
        done = TrainingCompleted(
            model=MODEL, request_id=request_id, answers=(request_id, *answers), manifest="1" * 64, pins=PINS, recipe="all", candidates=(),
            measurements=None, rows=1, seconds=1.0,
        )  # fmt: skip
        self.say("training-runs", done, id=f"c-{request_id}", seconds=seconds)

    def fail(self, request_id: str) -> None:
        failed = TrainingFailed(model=MODEL, request_id=request_id, answers=(request_id,), reason="one class only")
        self.say("training-runs", failed, id=f"f-{request_id}")

    def judge(self, request_id: str, seconds: float = 0, *, accepted: bool = True, epoch: int | None = None) -> None:
        decision = DecisionMade(
            model=MODEL,
            kind="promote",
            accepted=accepted,
            reason="gain",
            window=None,
            rule="f" * 64,
            evidence={"outcome": {"epoch": epoch}},
            request_id=request_id,
        )
        self.say("decisions", decision, id=f"j-{request_id}", seconds=seconds)

    def register(self, request_id: str, seconds: float = 0) -> None:
        self._command(
            RegisterVersion(
                command_id=f"r-{request_id}",
                at=after(seconds),
                actor="t",
                reason="",
                model=MODEL,
                request_id=request_id,
                manifest="1" * 64,
                pins=PINS,
            )
        )

    def promote(self, request_id: str, seconds: float = 0, *, gain: float = 0.1) -> None:
        champion = self._state.models[MODEL].champion
        measured = None
        if champion is not None:
            measured = GateMeasurements(
                window=WINDOW,
                metric="roc_auc",
                rows=1000,
                candidate=0.7 + gain,
                champion=0.7,
                gain=gain,
                gain_lower=gain,
                confidence=0.8,
                champion_version=champion.version,
            )
        epoch = self._state.models[MODEL].champion_epoch
        self._command(
            PromoteVersion(
                command_id=f"m-{request_id}",
                at=after(seconds),
                actor="t",
                reason="",
                model=MODEL,
                request_id=request_id,
                expected_epoch=epoch,
                measurements=measured,
            )
        )

    def _command(self, command: RegisterProject | RegisterVersion | PromoteVersion) -> None:
        self._state, _ = fold(self._state, command, self._state.next_offset)

    # what the demo reads of the lake and of the registry
    def measure(self) -> Lag:
        return self.lag

    def state(self) -> RegistryState:
        return self._state

    def wait_for(self, offset: int, timeout_seconds: float) -> RegistryState:
        return self._state

    def sync(self, timeout_seconds: float) -> RegistryState:
        return self._state
