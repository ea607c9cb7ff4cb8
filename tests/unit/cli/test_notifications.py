"""`driftloop notifications`: what became of each message, as a person reads it; wrong use is a sentence."""

import io
from typing import Any

from click.testing import CliRunner
from tests.unit.notifier.world import MODEL, World, incident

from driftloop.adapters.kafka_producer import Publisher
from driftloop.adapters.memory import MemoryBroker
from driftloop.cli import notifications as command
from driftloop.cli.output import CleanConsole
from driftloop.client.notifications import Notification, notifications
from driftloop.contracts.topics import NOTIFICATIONS


def recorded(world: World) -> list[Notification]:
    """What the client makes of what the world's notifier wrote down."""
    broker = MemoryBroker()
    broker.create_topic(NOTIFICATIONS, 1)
    publisher = Publisher(broker.producer(), source="test")
    for event, about in world.record:
        if about.type.startswith("driftloop.notification-"):
            publisher.publish(NOTIFICATIONS, event, key=MODEL, id=about.id, time=about.time)
    return notifications(broker)


def shown(found: list[Notification]) -> str:
    out = io.StringIO()
    command._show(CleanConsole(file=out, width=400), found)
    return out.getvalue()


def test_a_message_is_on_its_way_arrives_is_given_up_and_is_sent_again() -> None:
    world = World()
    world.follow()
    world.says(incident(), 1)
    (due,) = world.write(2)
    assert [one.state for one in recorded(world)] == ["on its way"]
    world.settle(due.id, 3, "answered 503\x1b[2J for an hour")
    text = shown(recorded(world))
    assert "dead" in text
    assert "incident opened" in text
    assert "\x1b[2J" not in text
    world.ask("retry", 4)
    assert [one.state for one in recorded(world)] == ["on its way"]
    world.settle(due.id, 5)
    assert [(one.state, one.problem) for one in recorded(world)] == [("arrived", None)]


def test_a_retry_is_of_one_letter_or_of_all_and_says_so() -> None:
    for arguments in ([], ["some-id", "--all"]):
        refused: Any = CliRunner().invoke(command.retry, arguments)
        assert refused.exit_code != 0
        assert "name one dead letter, or say --all" in refused.output
