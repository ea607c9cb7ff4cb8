"""What is said about a topic's replicas."""

import pytest

from driftloop.adapters.kafka_replicas import Replicas, check_replicas
from driftloop.errors import ConfigurationError


def test_fewer_replicas_than_told_are_refused_with_the_way_out() -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_replicas("registry-log", Replicas(1, 1, 3), told=3)
    assert "topic registry-log has 1 replica, REPLICATION says 3" in str(refused.value)
    assert "kafka-reassign-partitions" in str(refused.value)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Replicas(1, 1, 1), None),  # a broker alone, as on a laptop
        (Replicas(1, 1, 3), "on one broker alone"),
        (Replicas(3, 1, 3), "set it to 2"),
        (Replicas(3, 2, 3), None),
        (Replicas(3, 3, 3), "writes stop as soon as one broker is away; set it to 2"),
        (Replicas(2, 1, 3), "a single one of its 2 replicas"),
        (Replicas(5, 3, 5), None),
    ],
)
@pytest.mark.parametrize("told", [None, 1])
def test_what_could_be_safer_is_said(found: Replicas, said: str | None, told: int | None) -> None:
    reason = check_replicas("t", found, told)
    assert reason is None if said is None else said in (reason or "")
