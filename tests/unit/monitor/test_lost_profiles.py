"""A profile that is gone holds up nobody: its version's rows are counted, and the report says that nothing was compared."""

import asyncio
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from tests.unit.monitor.test_assembly_runner import inferences_of
from tests.unit.monitoring.teller import DIGEST, PROFILE, PROJECT, sketch
from tests.unit.monitoring.traffic import HOUR, REQUESTS, START, make_rows, message, window
from tests.unit.registry.commands import MODEL, delete, folded, move_alias, pins, promote, register_project, register_version

from driftloop.adapters.memory import MemoryStore, SystemClock
from driftloop.artifact import model_files
from driftloop.artifact.model_files import Manifest, model_key, store_model, stored_files
from driftloop.contracts.codec import encode_event, envelope
from driftloop.contracts.events import DriftReported
from driftloop.errors import TransientError
from driftloop.lineage.model_bytes import deleted_versions, remove
from driftloop.monitoring.assembly import stored_offset
from driftloop.monitoring.drift import drift_reports
from driftloop.monitoring.partition_fold import PartitionFold, ProfileNeeded
from driftloop.monitoring.partition_state import PartitionState, decode_state
from driftloop_monitor.assembly_runner import AssemblyRunner
from driftloop_monitor.faust_support.durable_table import DurableTable
from driftloop_monitor.profiles import IN_USE_SECONDS, LOST_SECONDS, Profiles

LATER = timedelta(hours=2)


class World:
    """Version 1 was champion once and scored rows; version 2 is champion now."""

    def __init__(self) -> None:
        self.store, self.now = MemoryStore(), 0.0
        contents = {model_files.MODEL: b"m", model_files.PROFILE: PROFILE.encode(), model_files.CARD: b"c", model_files.LINEAGE: b"{}"}
        manifest = Manifest(
            model=MODEL,
            request_id="r1",
            schema_fingerprint=PROJECT.schema.fingerprint(),
            recipe="all",
            rows=1,
            pins=pins(0, None),
            measurements=None,
            environment={},
            files=stored_files(contents),
        )
        self.manifest = store_model(self.store, manifest, contents)
        self.key = model_key(MODEL, self.manifest, model_files.PROFILE)
        self._commands = [
            register_project(),
            msgspec.structs.replace(register_version("r1"), manifest=self.manifest),
            promote("r1", epoch=0),
            register_version("r2"),
            move_alias(2, epoch=1, command_id="up"),
        ]

    def state(self):
        return folded(*self._commands)[0]

    def delete(self) -> None:
        self._commands.append(delete(1))

    def profiles(self) -> Profiles:
        return Profiles(MODEL, SimpleNamespace(state=self.state), self.store, monotonic=lambda: self.now)


@pytest.fixture
def world() -> World:
    return World()


def lost(world: World) -> Profiles:
    """As a monitor that starts after an earlier release has cleaned up."""
    world.delete()
    world.store.delete(world.key)
    profiles = world.profiles()
    profiles.load(1)
    return profiles


def test_rows_of_an_open_window_are_still_counted_after_their_version_was_deleted_and_cleaned(world):
    world.delete()
    model = world.state().model(MODEL)
    found = deleted_versions(world.store, model, [], before=model.standings[1].since + LATER)
    assert [(each.version, each.held) for each in found] == [(1, None)]
    remove(world.store, found)
    profiles = world.profiles()
    profiles.load(1)
    assert profiles.profile(1)[1] == PROFILE


def test_a_version_that_was_cleaned_by_an_earlier_release_stops_no_report(world):
    """Every later window would wait behind it."""
    world.delete()
    world.store.delete(world.key)
    published: list[DriftReported] = []
    reports = SimpleNamespace(publish=lambda topic, event, **about: published.append(event))

    async def stored(*about: Any) -> None: ...

    table = DurableTable(SimpleNamespace(data={}, send_changelog=stored), partial(stored_offset, topic_id="t"))
    runner = AssemblyRunner(
        PROJECT,
        0,
        topic_id="t",
        values=table.open(0),
        profiles=world.profiles(),
        publisher=reports,
        inferences=inferences_of(partitions=2, messages=100),
        clock=SystemClock(),
    )

    async def take(offset: int, counted) -> None:
        value, headers = encode_event(counted, envelope(counted, id=f"s{offset}", source="test", subject=PROJECT.stream))
        record = SimpleNamespace(topic="window-sketches", partition=0, offset=offset, value=value, headers=list(headers))

        async def ack(event: Any) -> None: ...

        await asyncio.wait_for(runner.handle(SimpleNamespace(message=record), ack), LOST_SECONDS)

    for partition in (0, 1):
        asyncio.run(take(partition, sketch(partition)))
    [report] = published
    assert (report.version, report.profile, report.rows, report.features, report.score, report.drifted) == (1, None, 200, {}, None, False)


def test_rows_of_a_version_whose_profile_is_lost_are_counted_and_close_their_window(world):
    profiles = lost(world)
    fold = PartitionFold(PROJECT, 0, 1, profiles.counter, PartitionState(topic_id="t"), REQUESTS)
    fold.add(0, *message(make_rows(PROJECT, [START] * 3), 0))
    fold.add(1, *message(make_rows(PROJECT, []), 3, 3, watermark=START + HOUR))
    [counted] = fold.drain()
    assert [(part.version, part.rows, part.counts) for part in counted.sketches] == [(1, 3, {})]
    assert (counted.window, counted.rows) == (window(0), 3)


def test_counts_of_before_the_loss_go_together_with_rows_of_after_it(world):
    before = PartitionFold(PROJECT, 0, 1, lambda version: profiles_of(world).counter(version), PartitionState(topic_id="t"), REQUESTS)
    before.add(0, *message(make_rows(PROJECT, [START] * 3), 0))
    stored = decode_state(before.state().encode())
    after = PartitionFold(PROJECT, 0, 1, lost(world).counter, stored, REQUESTS)
    after.add(1, *message(make_rows(PROJECT, [START] * 2, first_request=3), 3))
    after.add(2, *message(make_rows(PROJECT, []), 5, 5, watermark=START + HOUR))
    [counted] = after.drain()
    [part] = counted.sketches
    assert part.rows == 5
    assert {sum(values) for values in part.counts.values()} == {3}


def test_a_worker_that_has_the_profile_reports_on_counts_of_one_that_has_lost_it():
    without = sketch(0, partitions=1)
    [part] = without.sketches
    without = msgspec.structs.replace(without, sketches=(msgspec.structs.replace(part, counts={}),))
    [report] = drift_reports(PROJECT, without.window, 0, {0: without}, lambda _: (DIGEST, PROFILE))
    assert (report.version, report.profile, report.rows, report.features, report.drifted) == (1, None, 100, {}, False)


def test_a_profile_that_is_missing_or_damaged_is_waited_for_a_while_and_no_longer(world):
    world.store.put(world.key, b"damaged")
    profiles = world.profiles()
    for world.now in (0.0, LOST_SECONDS - 1):
        with pytest.raises(TransientError, match="profile of version 1"):
            profiles.load(1)
    world.now = LOST_SECONDS
    profiles.load(1)
    assert profiles.profile(1)[1].columns == {}


def test_a_profile_that_is_restored_in_time_is_used(world):
    world.store.delete(world.key)
    profiles = world.profiles()
    with pytest.raises(TransientError):
        profiles.load(1)
    world.store.put(world.key, PROFILE.encode())
    world.now = LOST_SECONDS
    profiles.load(1)
    assert profiles.profile(1)[1] == PROFILE


def test_a_store_that_is_away_is_waited_for_as_long_as_it_takes(world):
    class Away:
        def get(self, key: str) -> bytes:
            raise TransientError("away")

    profiles = Profiles(MODEL, SimpleNamespace(state=world.state), Away(), monotonic=lambda: world.now)
    for world.now in (0.0, 100 * LOST_SECONDS):
        with pytest.raises(TransientError):
            profiles.load(1)


def profiles_of(world: World) -> Profiles:
    profiles = world.profiles()
    profiles.load(1)
    return profiles


def test_no_more_profiles_are_kept_than_a_bound_and_those_asked_for_last_stay(world, monkeypatch):
    monkeypatch.setattr("driftloop_monitor.profiles.KEPT", 3)
    profiles = world.profiles()
    for version in range(2, 6):
        world.now += IN_USE_SECONDS
        profiles.load(1)
        profiles.counter(1)
        profiles._keep(version, "1" * 64, profiles.counter(1)[1])
    assert sorted(profiles._loaded) == [1, 4, 5]
    with pytest.raises(ProfileNeeded):
        profiles.counter(2)


def test_a_window_that_more_versions_scored_than_are_kept_is_compared_with_all_of_them(world, monkeypatch):
    monkeypatch.setattr("driftloop_monitor.profiles.KEPT", 3)
    profiles = world.profiles()
    profiles.load(1)
    everyone = profiles.counter(1)[1]
    for needed in range(2, 8):  # as whoever needs several at once asks for them: again, once the missing one is there
        with pytest.raises(ProfileNeeded, match=f"version {needed} "):
            [profiles.counter(version) for version in range(1, 8)]
        profiles._keep(needed, "1" * 64, everyone)
    assert len([profiles.counter(version) for version in range(1, 8)]) == 7
    world.now += IN_USE_SECONDS
    profiles._keep(8, "1" * 64, everyone)
    assert sorted(profiles._loaded) == [6, 7, 8]


def test_versions_that_strangers_name_are_not_remembered_for_ever(world, monkeypatch):
    monkeypatch.setattr("driftloop_monitor.profiles.KEPT_UNKNOWN", 5)
    profiles = world.profiles()
    for version in range(100, 140):
        with pytest.raises(TransientError):
            profiles.load(version)
    assert len(profiles._unknown_since) == 5
