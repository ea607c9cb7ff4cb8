"""Ingest as a process: killed, paused, drained, with the store away; what it leaves behind is whole each time."""

import random
import signal
import threading
import time
from contextlib import contextmanager

import pytest
from tests.support.clients import alter_topic
from tests.support.foreign import CODECS, send_batch
from tests.support.ingest_process import TABLES, IngestWorld
from tests.support.lossy_proxy import lossy_proxy
from tests.support.servers import pausable_s3_server
from tests.support.waiting import wait_until

from driftloop.adapters.kafka import add_partitions, read_topic
from driftloop.service.quarantine import fetched, read_quarantined


@pytest.mark.parametrize("point", ["before-store", "after-store", "after-commit", "after-event"])
def test_a_crash_at_any_step_of_a_flush_loses_and_doubles_nothing(world, point):
    world.send(messages=2)
    with world.ingest(DRIFTLOOP_CRASH_POINT=f"ingest.{point}:3") as doomed:
        world.send(messages=4)
        assert doomed.wait() == -signal.SIGKILL
    with world.ingest():
        world.wait_caught_up()
    world.check()


def test_sigterm_drains_and_the_next_start_goes_on_where_it_ended(world):
    world.send(messages=4)
    with world.ingest(DRIFTLOOP_INGEST_FLUSH_SECONDS="60", DRIFTLOOP_INGEST_FLUSH_ROWS="1000000") as ingest:
        wait_until(lambda: ingest.logged("partition-taken") >= 8, "all partitions to be taken")
        wait_until(lambda: len(ingest.status()["partitions"]) == 8, "all partitions in the status")
        ingest.send(signal.SIGTERM)
        assert ingest.wait() == 0  # 1, had it not drained in its ten seconds
    world.send()
    with world.ingest() as ingest:
        world.wait_caught_up()
        wait_until(lambda: sum(ingest.status()["partitions"].values()) == sum(world.ends("labels").values()) + 20, "the status to say so")
    world.check()


@contextmanager
def load(world):
    """Traffic all the time, in small portions; at every look, no group offset is ahead of the lake."""
    ending = threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            while not ending.wait(0.4):
                world.send(rows=50)
                world.check_offsets()
        except BaseException as exc:  # noqa: BLE001 - raised in the test's thread
            failures.append(exc)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()
        if failures:
            raise failures[0]


def wait_at_work(ingest):
    before = ingest.logged("lake-committed")
    wait_until(lambda: ingest.logged("lake-committed") > before, f"{ingest.instance} to be at work")


def test_two_instances_killed_three_times_under_load_keep_every_row_once(world):
    chance = random.Random(3)
    world.send()
    first, second = world.ingest("ingest-0"), world.ingest("ingest-1")
    with first, second, load(world):
        for victim in (first, second, first):
            wait_at_work(victim)
            time.sleep(chance.uniform(0, 1))  # the fault's own moment
            victim.kill()
            victim.start().wait_ready()
    with world.ingest("ingest-2"):
        world.wait_caught_up()
    world.check()


AWAY_SECONDS = 30  # three session timeouts


def test_a_store_that_is_stopped_for_half_a_minute_loses_nothing_and_moves_no_partition(kafka_bootstrap, unique, tmp_path):
    with pausable_s3_server() as store:
        world = IngestWorld(kafka_bootstrap, store.access, f"i{unique}", tmp_path)
        world.send()
        with world.ingest() as ingest:
            world.wait_caught_up()
            taken = ingest.logged("partition-taken")
            committed = sum(world.table(name).version for name in TABLES)
            wait_until(lambda: ingest.logged("lake-committed") == committed, "the log to tell of the commits that the tables have")
            store.pause()
            world.send(messages=3)
            time.sleep(AWAY_SECONDS)
            assert ingest.logged("lake-committed") == committed
            store.go_on()
            world.wait_caught_up()
            assert ingest.logged("partition-taken") == taken == 8
        world.check()
        world.producer.close()


def test_a_store_that_refuses_for_half_a_minute_loses_nothing_and_moves_no_partition(world, s3):
    with lossy_proxy(s3.endpoint) as proxy:
        world.ingest_s3_endpoint = proxy.endpoint
        world.send()
        with world.ingest() as ingest:
            world.wait_caught_up()
            taken = ingest.logged("partition-taken")
            proxy.refuse()
            world.send(messages=3)
            time.sleep(AWAY_SECONDS)
            assert proxy.held > 0
            proxy.recover()
            world.wait_caught_up()
            assert ingest.logged("partition-taken") == taken == 8
    world.check()


def test_labels_of_every_codec_reach_the_lake_also_where_the_broker_keeps_them_compressed(world):
    with world.ingest():
        alter_topic(world.bootstrap, f"{world.stream}.labels", compression_type="producer")
        for n, codec in enumerate(CODECS):
            rows = [b'{"event_id": "%d-%d", "event_time": "2024-03-01T00:00:00Z", "label": true}' % (n, i) for i in range(50)]
            send_batch(world.bootstrap, f"{world.stream}.labels", rows, codec=codec)
        world.wait_caught_up()
    assert world.table("labels").read(["event_id"]).num_rows == 200


def test_a_label_of_twelve_mebibytes_keeps_its_bytes_and_both_tables_go_on(world):
    huge = b'{"event_id": "big", "event_time": "2024-03-01T00:00:00Z", "label": "' + b"x" * (12 * 1024 * 1024) + b'"}'
    with world.ingest():
        alter_topic(world.bootstrap, f"{world.stream}.labels", compression_type="producer")  # a topic of before
        send_batch(world.bootstrap, f"{world.stream}.labels", [huge], codec="gzip")
        world.traffic.label(0, 0)
        world.request(50)
        world.traffic.scored(0, 0, 50)
        world.producer.flush()
        world.wait_caught_up()
    assert world.table("labels").read(["event_id"])["event_id"].to_pylist() == ["e0-0"]
    assert world.table("inferences").read(["event_id"]).num_rows == 50
    (found,) = map(read_quarantined, read_topic(world.bootstrap, f"{world.stream}.quarantine"))
    assert found.stored is not None
    assert fetched(found, world.store).record.value == huge


def test_requests_that_are_yet_to_come_do_not_seem_known_because_a_message_says_so(world):
    """Also in a partition that the requests do not have yet: nothing waits for it, and its rows are taken when there are some."""
    new = world.partitions
    add_partitions(world.bootstrap, {f"{world.stream}.{name}": new + 1 for name in TABLES})
    world.send()
    with world.ingest():
        world.wait_caught_up()
        for partition in range(new):
            world.traffic.scored(partition, 50, 60)
        world.traffic.scored(new, 0, 50)
        world.producer.flush()
        forged = [(partition, "accounts for requests up to 60, and there are none from 50 on") for partition in range(new)]
        forged.append((new, "accounts for requests up to 50, and there are none from 0 on"))
        wait_until(lambda: rejected(world) == forged, "the forged messages to be in quarantine")
        add_partitions(world.bootstrap, {f"{world.stream}.requests": new + 1})
        world.add_partition()
        world.send()
        world.wait_caught_up()
    rows = world.table("inferences").read(["partition", "request_offset"])
    expected = [(p, n) for p in range(new + 1) for n in range(world.sent[p]) if n % 50]
    assert sorted(zip(rows["partition"].to_pylist(), rows["request_offset"].to_pylist(), strict=True)) == expected
    assert rejected(world) == forged


def rejected(world):
    """Partition and reason of the messages in quarantine that are no labels."""
    found = map(read_quarantined, read_topic(world.bootstrap, f"{world.stream}.quarantine"))
    return sorted((q.partition, q.reason) for q in found if q.topic == f"{world.stream}.inferences")
