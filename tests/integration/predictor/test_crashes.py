"""I1 and I2 of the predictor: every request is accounted for exactly once, whoever dies, pauses or shares the partitions."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from tests.integration.predictor.harness import Account, Predictor, World, account, eventually
from tests.support.stopwatch import Stopwatch
from tests.unit.predictor.samples import request_json, store_sample_model

from driftloop.adapters.kafka import AssignedConsumer, GroupConsumer
from driftloop.contracts.headers import RequestRange, range_header, request_range
from driftloop.contracts.topics import inferences, requests
from driftloop.ports import TopicPartition
from driftloop.rows.arrow_stream import encode_table
from driftloop.rows.schemas import inference_schema

BAD = b"{not json"


class Load:
    """Sends requests, every 50th of them broken, until it is stopped."""

    def __init__(self, stream: World, rows_per_second: int = 400) -> None:
        self._stream, self._pause = stream, 40 / rows_per_second
        self._stop = threading.Event()
        self.sent = 0
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.is_set():
            n = self.sent
            self._stream.send([BAD if i % 50 == 0 else request_json(i) for i in range(n, n + 40)])
            self.sent += 40
            time.sleep(self._pause)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


class CommittedSampler:
    """Compares, again and again, the group's committed offsets with what `inferences` accounts for (I2)."""

    def __init__(self, stream: World) -> None:
        self._stream, self._stop = stream, threading.Event()
        self.samples = 0
        self.violations: list[str] = []
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        stream, bootstrap = self._stream, self._stream.bootstrap
        written = [TopicPartition(inferences(stream.name), p) for p in range(4)]
        asked = {p: TopicPartition(requests(stream.name), p) for p in range(4)}
        reader = AssignedConsumer(bootstrap, written, client_id="sampler")
        group = GroupConsumer(bootstrap, group=f"predictor-{stream.name}", topics=[requests(stream.name)], client_id="sampler")
        for tp in written:
            reader.seek(tp, 0)
        accounted: dict[int, int] = {}
        while not self._stop.is_set():
            committed = {p: group.committed(tp) or 0 for p, tp in asked.items()}  # never polls, so it never joins
            ends = reader.end_offsets(written)
            while any(reader.position(tp) < ends[tp] for tp in written):
                for tp, records in reader.poll(0.2).items():
                    found = [r.end for record in records if (r := request_range(record.headers)) is not None]
                    accounted[tp.partition] = max([accounted.get(tp.partition, 0), *found])
            self.violations += [f"{p}: {o} > {accounted.get(p, 0)}" for p, o in committed.items() if o > accounted.get(p, 0)]
            self.samples += any(committed.values())
        reader.close()
        group.close()

    def __enter__(self) -> "CommittedSampler":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@contextmanager
def with_model(stream: World) -> Iterator[None]:
    stream.add_version(store_sample_model(stream.store, stream.project))
    stream.promote(1)
    yield


def check_conservation(stream: World, sent: int) -> Account:
    """I1: each offset is scored or quarantined, once; the quarantined bytes are there."""
    found: Account = eventually(
        f"{sent} requests accounted for",
        lambda: sum((a := account(stream.inferences(), stream.project)).next_offsets.values()) >= sent and a,
    )
    offsets = list(zip(found.rows.column("partition").to_pylist(), found.rows.column("request_offset").to_pylist(), strict=True))
    assert max(Counter(offsets).values()) == 1, "a request is accounted for twice"
    good = {(r.partition, r.offset) for r in stream.sent() if r.value != BAD}
    bad = {(r.partition, r.offset) for r in stream.sent() if r.value == BAD}
    assert len(good) + len(bad) == sent
    assert set(offsets) == good
    assert found.quarantined == bad
    assert {(q.partition, q.offset) for q in stream.quarantined() if q.record.value == BAD} >= bad
    return found


def progressed(stream: World, beyond: int) -> bool:
    return sum(stream.account().next_offsets.values()) > beyond


def kill_under_load(stream: World, predictor: Predictor, times: int, load: Load) -> int:
    """Kills it when it has work in hand; how often it had."""
    hits = 0
    for _ in range(times):
        done = sum(stream.account().next_offsets.values())
        eventually("progress before the kill", lambda done=done: progressed(stream, done))
        predictor.kill()
        hits += sum(stream.account().next_offsets.values()) < load.sent
        predictor.start()
    return hits


@pytest.mark.parametrize("instances", [1, 2])
def test_killed_three_times_under_load_every_request_is_accounted_for_once(stream: World, instances: int) -> None:
    with with_model(stream), ExitStack() as running:
        predictors = [running.enter_context(stream.predictor(f"predictor-{i}")) for i in range(instances)]
        with CommittedSampler(stream) as sampler, Load(stream) as load:
            hits = kill_under_load(stream, predictors[0], 3, load)
        check_conservation(stream, load.sent)
        eventually("offsets committed", lambda: sampler.samples > 0)
    assert hits > 0, "no kill hit work in flight"
    assert sampler.samples > 0
    assert sampler.violations == []


@pytest.mark.parametrize("point", ["predictor.before-send", "predictor.after-quarantine", "predictor.after-flush"])
def test_a_crash_between_any_two_steps_loses_and_repeats_nothing(stream: World, point: str) -> None:
    with stream.predictor(DRIFTLOOP_CRASH_POINT=f"{point}:3") as predictor, Load(stream) as load:
        assert predictor.wait() == -9
    with stream.predictor("predictor-1"):
        check_conservation(stream, load.sent)


def test_a_paused_twin_that_wakes_up_repeats_ranges_and_readers_trim_them(stream: World) -> None:
    with stream.predictor("predictor-0") as twin, stream.predictor("predictor-1"), Load(stream) as load:
        eventually("both to own partitions", lambda: len(twin.status()["partitions"]) == 2)
        eventually("progress", lambda: progressed(stream, 200))
        twin.pause()
        before = stream.account().next_offsets

        def taken_over() -> bool:
            now = stream.account().next_offsets
            return all(now.get(p, 0) > before.get(p, 0) + 20 for p in range(4))

        eventually("the peer to take all partitions over", taken_over)
        twin.resume()
        done = sum(stream.account().next_offsets.values())
        eventually("the twin to be back in the group", lambda: len(twin.status()["partitions"]) == 2)
        eventually("progress", lambda: progressed(stream, done + 200))
    with stream.predictor("predictor-1"):
        check_conservation(stream, load.sent)


def test_sigterm_under_load_drains_within_ten_seconds(stream: World) -> None:
    with stream.predictor() as predictor, Load(stream) as load:
        eventually("progress", lambda: progressed(stream, 200))
        with Stopwatch() as taken:
            predictor.terminate()
            assert predictor.wait() == 0
        assert taken.seconds < 10
    with stream.predictor():
        check_conservation(stream, load.sent)


def test_a_range_of_another_incarnation_of_the_topic_is_not_gone_on_from(stream: World) -> None:
    empty = encode_table(inference_schema(stream.project.schema).empty_table())
    for p in range(4):
        other = RequestRange(topic_id="another", partition=p, start=0, end=1000)
        stream.producer.send(inferences(stream.name), empty, partition=p, headers=(range_header(other),))
        stream.producer.send(inferences(stream.name), empty, partition=p)  # as HTTP rows come: no range
    stream.producer.flush()
    stream.send([request_json(n) for n in range(40)])
    with stream.predictor() as predictor:
        eventually("all 40", lambda: sum(predictor.status()["partitions"].values()) == 40)
