"""What strangers may write to the topics that faust reads: nothing of it stops the monitor, and what honest writers sent is counted."""

from kafka import KafkaProducer
from tests.integration.monitor.test_exactness import assert_exact
from tests.integration.monitor.world import PARTITIONS, WINDOWS, World, wait_for_windows
from tests.support.clients import abort_transaction
from tests.support.foreign import CODECS, send_batch
from tests.support.waiting import wait_until
from tests.unit.monitoring.traffic import HOUR, START, make_rows, message

from driftloop.adapters.kafka import add_partitions, read_topic, topic_id
from driftloop.adapters.kafka_records import HeaderKey
from driftloop.contracts.topics import DATASET_VERSIONS, WINDOW_SKETCHES, inferences, quarantine, requests
from driftloop.rows.arrow_stream import encode_table
from driftloop.service.quarantine import read_quarantined

ODD = HeaderKey(b"\xff\xfek".decode("utf-8", "surrogateescape"))


def test_any_bytes_any_codec_and_aborted_transactions_leave_the_monitor_at_work_and_exact(own_world: World) -> None:
    worker = own_world.start_worker()
    wait_until(lambda: worker.alive() and worker.ready(), "the monitor to be ready", 90)
    strangers = KafkaProducer(bootstrap_servers=own_world.bootstrap)
    topics = (inferences(own_world.project.stream), WINDOW_SKETCHES, DATASET_VERSIONS)
    with own_world.sending(8, pause_seconds=0.2):
        for topic in topics:
            for partition in range(PARTITIONS):
                strangers.send(topic, value=b"x", key=b"k", partition=partition, headers=[(ODD, b"\xff")])
                strangers.flush()
                for codec in CODECS:
                    send_batch(own_world.bootstrap, topic, [b"no event, no row " * 50] * 2, codec=codec, partition=partition)
                abort_transaction(own_world.bootstrap, topic, 500, partition, value=encode_table(own_world.sent[0].slice(0, 1)))
    strangers.close()
    assert_exact(own_world)
    assert worker.alive()
    worker.kill()  # and its successor goes on from a place behind which there may be no record
    again = own_world.start_worker("monitor-1")
    for partition in range(PARTITIONS):
        rows = make_rows(own_world.project, [START + (WINDOWS + 0.5) * HOUR] * 100, first_request=own_world.next_request(partition))
        own_world.send_rows(rows, partition)
    own_world.close_windows(WINDOWS + 1)
    sketches = wait_for_windows(own_world, WINDOWS + 1)
    assert again.alive()
    assert sum({(s.window.start, s.partition): s.rows for s in sketches}.values()) == own_world.rows().num_rows


def test_requests_that_are_yet_to_come_do_not_seem_known_because_a_message_says_so(world: World) -> None:
    """Also in a partition that the requests do not have: nothing waits for it."""
    stream, topic, new = world.project.stream, requests(world.project.stream), PARTITIONS
    add_partitions(world.bootstrap, {inferences(stream): new + 1})
    accounted = topic_id(world.bootstrap, topic)
    rows = make_rows(world.project, [START + (i + 1) * HOUR / 200 for i in range(100)])
    worker = world.start_worker()

    def account(partition: int) -> None:
        """For a hundred requests that the topic has, or does not have yet."""
        value, headers = message(rows, 0, partition=partition, topic_id=accounted)
        world.producer.send(inferences(stream), value, partition=partition, headers=headers)

    for partition in (*range(PARTITIONS), new):
        account(partition)
    world.producer.flush()
    forged = {(partition, "accounts for requests up to 100, and there are none from 0 on") for partition in range(PARTITIONS + 1)}
    wait_until(lambda: rejected(world) == forged, "the forged messages to be in quarantine")
    for partition in range(PARTITIONS):
        for _ in range(100):
            world.producer.send(topic, b"{}", partition=partition)
    world.producer.flush()
    for partition in range(PARTITIONS):
        account(partition)
    world.close_windows(1)
    sketches = wait_for_windows(world, 1)
    assert worker.alive()
    assert {s.partition: s.rows for s in sketches if s.window.start == START and s.partition < new} == dict.fromkeys(range(PARTITIONS), 100)
    assert rejected(world) == forged


def rejected(world: World) -> set[tuple[int, str]]:
    """Partition and reason of what is in quarantine."""
    found = map(read_quarantined, read_topic(world.bootstrap, quarantine(world.project.stream)))
    return {(q.partition, q.reason) for q in found}
