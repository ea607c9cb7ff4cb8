"""A worker hears that a topic of its stream is not what it was at the start."""

from collections.abc import Callable

import pytest

from driftloop.adapters.memory import MemoryBroker
from driftloop.contracts.topics import WINDOW_SKETCHES, inferences, labels
from driftloop.errors import TransientError
from driftloop_monitor.source_topics import SourceTopics

NAMES = (inferences("shop"), labels("shop"), WINDOW_SKETCHES)


@pytest.fixture
def broker() -> MemoryBroker:
    made = MemoryBroker()
    for name in NAMES:
        made.create_topic(name, 2)
    return made


def make_anew(broker: MemoryBroker, name: str) -> None:
    broker.delete_topic(name)
    broker.create_topic(name, 2)


def grow(broker: MemoryBroker, name: str) -> None:
    broker.add_partitions(name, 3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("change", "said"), [(make_anew, "was made anew"), (grow, "has 3 partitions, at the start it had 2")])
def test_a_topic_that_has_changed_is_named(broker: MemoryBroker, name: str, change: Callable[[MemoryBroker, str], None], said: str) -> None:
    sources = SourceTopics(broker, "shop")
    assert sources.changed() is None
    change(broker, name)
    assert sources.changed() == f"{name} {said}"


def test_a_topic_that_is_just_being_made_anew_and_a_broker_that_is_away_are_waited_for(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = SourceTopics(broker, "shop")
    broker.delete_topic(labels("shop"))
    assert sources.changed() is None
    broker.create_topic(labels("shop"), 2)
    assert sources.changed() == "shop.labels was made anew"

    def away(names: object) -> None:
        raise TransientError("away")

    monkeypatch.setattr(broker, "describe", away)
    assert sources.changed() is None
