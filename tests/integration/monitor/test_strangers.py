"""What strangers may write to the topics that faust reads: nothing of it stops the monitor, and what honest writers sent is counted."""

from kafka import KafkaProducer
from tests.integration.monitor.test_exactness import assert_exact
from tests.integration.monitor.world import PARTITIONS, WINDOWS, World, wait_for_windows
from tests.support.clients import abort_transaction
from tests.support.foreign import CODECS, send_batch
from tests.support.waiting import wait_until
from tests.unit.monitoring.traffic import HOUR, START, make_rows

from driftloop.adapters.kafka_records import HeaderKey
from driftloop.contracts.topics import DATASET_VERSIONS, WINDOW_SKETCHES, inferences
from driftloop.rows.arrow_stream import encode_table

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
