import pytest

from driftloop.adapters.kafka import Publisher
from driftloop.adapters.memory import MemoryBroker
from driftloop.contracts.codec import envelope
from driftloop.contracts.events import RetrainRequested, TrainingFailed, TrainingStarted
from driftloop.contracts.values import TrainingPins
from driftloop.errors import TransientError
from driftloop_trainer.ledger import Ledger
from driftloop_trainer.log_reader import LogReader


def pins(snapshot: str) -> TrainingPins:
    return TrainingPins(
        snapshot=snapshot * 64,
        project="b" * 64,
        environment="c" * 64,
        code="test",
        seed=0,
        threads=1,
        evaluation_window=None,
        champion_version=None,
        champion_epoch=0,
    )


def asked(model: str = "m") -> RetrainRequested:
    return RetrainRequested(model=model, reason="manual", detail="", requested_by="test")


def started(request_id: str, *answers: str, snapshot: str = "a") -> TrainingStarted:
    return TrainingStarted(model="m", request_id=request_id, answers=(request_id, *answers), pins=pins(snapshot))


def failed(request_id: str, *answers: str) -> TrainingFailed:
    return TrainingFailed(model="m", request_id=request_id, answers=(request_id, *answers), reason="no")


def ledger(*events: object) -> Ledger:
    folded = Ledger()
    for event in events:
        identity, fact = event if isinstance(event, tuple) else ("e", event)
        folded.take(fact, envelope(fact, id=identity, source="test", subject="m"))
    return folded


def test_the_first_pins_of_a_request_stand():
    folded = ledger(("r1", asked()), started("r1", snapshot="a"), started("r1", snapshot="d"))
    assert folded.started("r1").pins.snapshot == "a" * 64


def test_a_run_answers_every_request_that_it_names():
    folded = ledger(("r1", asked()), ("r2", asked()), started("r1", "r2"))
    assert folded.started("r2").request_id == "r1"
    assert not folded.answered("r2")
    folded = ledger(("r1", asked()), ("r2", asked()), started("r1", "r2"), failed("r1", "r2"))
    assert folded.answered("r1")
    assert folded.answered("r2")


def test_only_requests_of_the_model_without_a_run_are_waiting_in_their_order():
    folded = ledger(("r1", asked()), ("x", asked("other")), ("r3", asked()), ("r2", asked()), started("r1"), failed("r9"))
    assert [a.id for a in folded.waiting("m")] == ["r3", "r2"]
    assert [a.id for a in folded.waiting("nobody")] == []


@pytest.fixture
def broker():
    made = MemoryBroker()
    made.create_topic("runs", 2)
    return made


def test_a_reader_takes_each_event_once_across_broken_connections(broker):
    taken, connections = [], []

    def connect():
        connections.append(1)
        if len(connections) == 2:
            raise TransientError("away")
        return broker.assigned(broker.partitions("runs"))

    reader = LogReader(connect, lambda event, about: taken.append(about.id))
    publisher = Publisher(broker.producer(), source="test")
    publisher.publish("runs", asked(), key="a", id="1")
    reader.catch_up()
    reader.close()
    publisher.publish("runs", asked(), key="b", id="2")
    with pytest.raises(TransientError):
        reader.catch_up()
    reader.catch_up()
    assert taken == ["1", "2"]


def test_a_reader_passes_over_what_it_cannot_read(broker):
    taken = []
    reader = LogReader(lambda: broker.assigned(broker.partitions("runs")), lambda event, about: taken.append(about.id))
    broker.producer().send("runs", b"rubbish", key=b"a")
    Publisher(broker.producer(), source="test").publish("runs", asked(), key="a", id="1")
    reader.catch_up()
    assert taken == ["1"]


def test_a_reader_gets_to_the_end_of_a_log_that_ends_in_an_aborted_transaction(broker):
    taken = []
    reader = LogReader(lambda: broker.assigned(broker.partitions("runs")), lambda event, about: taken.append(about.id))
    Publisher(broker.producer(), source="test").publish("runs", asked(), key="a", id="1")
    for tp in broker.partitions("runs"):
        broker.abort(tp, 3)
    reader.catch_up(timeout_seconds=5)
    Publisher(broker.producer(), source="test").publish("runs", asked(), key="a", id="2")
    reader.catch_up(timeout_seconds=5)
    assert taken == ["1", "2"]
