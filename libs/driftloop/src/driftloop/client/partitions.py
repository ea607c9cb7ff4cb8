"""More partitions for a stream, while it runs."""

from contextlib import suppress

from driftloop.adapters.kafka import add_partitions
from driftloop.client.arguments import stream_name
from driftloop.client.connections import Connections
from driftloop.contracts import topics
from driftloop.contracts.values import Part
from driftloop.errors import ConfigurationError, UserError

MOST = 1000


class GrownTopic(Part, frozen=True, kw_only=True):
    """Partitions of one topic before and now."""

    topic: str
    before: int
    now: int


def grown(to: Connections, stream: str, partitions: int) -> list[GrownTopic]:
    """Where requests are accounted for first, then the labels, then the requests: whoever sends to a new partition is heard.

    Raises UserError when there is no such stream, or it has more partitions already; TransientError.
    """
    if not 1 <= partitions <= MOST:
        raise UserError(f"{partitions} partitions: give between 1 and {MOST}")
    name = stream_name(stream)
    wanted = [topics.inferences(name), topics.quarantine(name)]
    try:
        found = dict(to.topics.describe(wanted))
    except ConfigurationError as exc:
        raise UserError(f"{exc}; a stream's topics are made when its project is registered: driftloop up --project DIR") from exc
    for topic in (topics.labels(name), topics.requests(name)):
        with suppress(ConfigurationError):  # the project names one of somebody else's instead, who alone grows it
            found |= to.topics.describe([topic])
            wanted.append(topic)
    for topic, info in found.items():
        if info.partitions > partitions:
            raise UserError(f"{topic} has {info.partitions} partitions, and a topic never loses one")
    before = add_partitions(to.kafka, dict.fromkeys(wanted, partitions))
    return [GrownTopic(topic=topic, before=before[topic], now=partitions) for topic in wanted]
