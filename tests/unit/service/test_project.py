"""Which project a service works for, and when it starts again because of it."""

import hashlib
import io
import zipfile

import msgspec
import pytest
from tests.support.sample_project import sample_project
from tests.support.traffic import small_schema
from tests.unit.registry.commands import folded, register_project

from driftloop.adapters.memory import MemoryStore
from driftloop.project.archives import load_project
from driftloop.project.model import Project, archive_key
from driftloop.registry.fold import RegistryState
from driftloop.service.process import EXIT_RESTART, Stop
from driftloop.service.project import project_refs, restart_on_new_archive

PROJECT = sample_project(small_schema("flights"))


def zipped_by_something_else() -> bytes:
    """The same files in another order, with other times."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(PROJECT.files, reverse=True):
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), PROJECT.files[name])
    return out.getvalue()


def registered(archive: str) -> RegistryState:
    state, _ = folded(msgspec.structs.replace(register_project(), archive=archive))
    return state


def running(archive: bytes) -> tuple[Project, RegistryState]:
    """What a service runs that has found this archive registered, and the state that it follows."""
    digest, store = hashlib.sha256(archive).hexdigest(), MemoryStore()
    store.put(archive_key("flights", digest), archive)
    state = registered(digest)
    return load_project(store, project_refs(state)["flights"]), state


@pytest.mark.parametrize("archive", [PROJECT.archive(), zipped_by_something_else()], ids=["driftloop's", "something else's"])
def test_a_service_that_runs_what_is_registered_goes_on_whoever_has_zipped_it(archive: bytes) -> None:
    """Registries of before registered archives that were not their own digest: services started again and again, for ever."""
    project, state = running(archive)
    stop = Stop()

    restart_on_new_archive(state, project, stop)

    assert not stop.requested()
    assert project.schema == PROJECT.schema


def test_a_new_archive_of_its_project_makes_a_service_start_again() -> None:
    project, _ = running(PROJECT.archive())
    stop = Stop()

    restart_on_new_archive(registered("f" * 64), project, stop)

    assert stop.requested()
    assert stop.code == EXIT_RESTART
