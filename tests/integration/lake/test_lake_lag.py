"""How far the lake is behind: the ends of real topics against the cursors of real tables."""

import msgspec
from tests.support.lake_rows import append, flush_of, lake_inferences, lake_labels

from driftloop.adapters.kafka import KafkaTopics, Producer, create_topics, topic_id
from driftloop.contracts.topics import stream_topics
from driftloop.history.lake_lag import LakeLag, TopicLag
from driftloop.lake.commit import commit
from driftloop.lake.cursors import request_app_id


def test_what_was_sent_and_is_not_in_the_lake_is_counted_by_topic(kafka_bootstrap, settings, store, schema, open_table) -> None:
    stream = schema.stream
    create_topics(kafka_bootstrap, stream_topics(stream, 2))
    producer = Producer(kafka_bootstrap, client_id="test")
    for topic, count in (("requests", 7), ("inferences", 5), ("labels", 4)):
        for n in range(count):
            producer.send(f"{stream}.{topic}", b"x", partition=n % 2)
    producer.flush()
    producer.close()
    with LakeLag(KafkaTopics(kafka_bootstrap, client_id="test"), settings, stream) as lake_lag:
        lag = lake_lag.measure()
        assert lag.requests == TopicLag(topic=f"{stream}.requests", end=7, in_lake=0, lag=7)
        assert (lag.inferences.lag, lag.labels.lag, lag.unstored) == (5, 4, 11)

        ids = {name: topic_id(kafka_bootstrap, f"{stream}.{name}") for name in ("requests", "inferences", "labels")}
        inferences, labels = open_table("inferences"), open_table("labels")
        append(store, inferences, lake_inferences(schema, 0, 0, 3), 0, topic_id=ids["inferences"])
        append(store, labels, lake_labels(schema, 1, 0, 2), 0, partition=1, topic_id=ids["labels"])
        append(store, labels, lake_labels(schema, 0, 0, 9), 0, topic_id="of a topic that was deleted")
        taken = flush_of(None, 0, 0, 4)
        move = msgspec.structs.replace(taken.moves[0], cursor=request_app_id(ids["requests"], 0), topic_id=ids["requests"])
        commit(inferences, store, msgspec.structs.replace(taken, moves=(move,)))
        lag = lake_lag.measure()
        assert (lag.requests.in_lake, lag.inferences.in_lake, lag.labels.in_lake) == (4, 3, 2)
        assert (lag.requests.lag, lag.inferences.lag, lag.labels.lag, lag.unstored) == (3, 2, 2, 5)
