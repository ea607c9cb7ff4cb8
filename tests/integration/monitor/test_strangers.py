"""What a stranger may write to the topics that faust reads: nothing of it stops the monitor."""

from kafka import KafkaProducer
from tests.integration.monitor.world import World, wait_for_windows
from tests.support.foreign import CODECS, send_batch
from tests.support.waiting import wait_until

from driftloop.adapters.kafka_records import HeaderKey
from driftloop.contracts.topics import DATASET_VERSIONS, WINDOW_SKETCHES, inferences

ODD = HeaderKey(b"\xff\xfek".decode("utf-8", "surrogateescape"))


def test_header_keys_that_are_no_text_and_every_codec_leave_the_monitor_at_work(world: World) -> None:
    worker = world.start_worker()
    wait_until(lambda: worker.alive() and worker.ready(), "the monitor to be ready", 90)
    strangers = KafkaProducer(bootstrap_servers=world.bootstrap)
    for topic in (inferences(world.project.stream), WINDOW_SKETCHES, DATASET_VERSIONS):
        strangers.send(topic, value=b"x", key=b"k", partition=0, headers=[(ODD, b"\xff")])
        strangers.flush()
        for codec in CODECS:
            send_batch(world.bootstrap, topic, [b"no event, no row " * 50] * 3, codec=codec)
    strangers.close()
    with world.sending(8, pause_seconds=0):
        pass
    wait_for_windows(world)
    assert worker.alive()
