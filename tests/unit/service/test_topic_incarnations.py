"""A topic that is made anew is told once; one of which nothing is heard is not taken for another."""

from types import SimpleNamespace

from driftloop.ports import TopicPartition
from driftloop.service.topic_incarnations import TopicIncarnations


def test_only_another_id_is_another_topic() -> None:
    ids = iter([None, "a", "a", None, "a", "b", "b"])
    consumer = SimpleNamespace(
        assignment=lambda: frozenset({TopicPartition("t", 0), TopicPartition("t", 1)}), topic_id=lambda topic: next(ids)
    )
    incarnations = TopicIncarnations()
    told = [incarnations.made_anew(consumer) for _ in range(7)]  # type: ignore[arg-type]
    assert told == [frozenset()] * 5 + [frozenset({"t"}), frozenset()]
