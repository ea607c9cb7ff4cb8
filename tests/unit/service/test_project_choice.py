"""Which project a service works for, of several that are registered."""

from pathlib import Path

import pytest

from driftloop.contracts.values import PromotionRules
from driftloop.registry.fold import ProjectRef
from driftloop.service.instance import claim_slot
from driftloop.service.project import PROJECT_FILE, ProjectChoice, remember_project, remembered_project

RULES = PromotionRules()


def ref(name: str) -> ProjectRef:
    return ProjectRef(project=name, stream=name, model=name, archive="0" * 64, schema_fingerprint="0" * 64, promotion=RULES)


ONE = {"alpha": ref("alpha")}
TWO = {"alpha": ref("alpha"), "beta": ref("beta")}


@pytest.mark.parametrize(
    ("choice", "registered", "expected"),
    [
        (ProjectChoice(None), {}, None),
        (ProjectChoice(None), ONE, "alpha"),
        (ProjectChoice(None), TWO, None),
        (ProjectChoice("beta"), TWO, "beta"),
        (ProjectChoice("beta"), ONE, None),
        (ProjectChoice(None, before="alpha"), TWO, "alpha"),
        (ProjectChoice("beta", before="alpha"), TWO, "beta"),
        (ProjectChoice(None, before="gone"), ONE, "alpha"),
        (ProjectChoice(None, before="gone"), TWO, None),
    ],
)
def test_the_named_one_then_the_one_of_before_then_the_only_one(
    choice: ProjectChoice, registered: dict[str, ProjectRef], expected: str | None
) -> None:
    found = choice.of(registered)
    assert (found.project if found else None) == expected


def test_a_service_remembers_its_project_in_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "ingest-0"
    assert remembered_project(folder) is None
    remember_project(folder, "alpha")
    remember_project(folder, "beta")
    assert remembered_project(folder) == "beta"
    assert [path.name for path in folder.iterdir()] == [PROJECT_FILE]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"../../etc\n", b"two\nlines"])
def test_what_is_no_project_name_is_not_remembered(tmp_path: Path, content: bytes) -> None:
    (tmp_path / PROJECT_FILE).write_bytes(content)
    assert remembered_project(tmp_path) is None


def test_a_folder_that_takes_nothing_costs_only_the_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    remember_project(tmp_path / "file", "alpha")
    assert remembered_project(tmp_path / "file") is None


def test_a_new_replica_works_for_the_project_of_the_others(tmp_path: Path) -> None:
    claim_slot("ingest", {"DRIFTLOOP_INGEST_STATE_DIR": str(tmp_path)})
    remember_project(tmp_path / "ingest-0" / "ingest-0", "alpha")

    variables = {"DRIFTLOOP_INGEST_STATE_DIR": str(tmp_path)}
    claim_slot("ingest", variables)

    assert variables["DRIFTLOOP_INGEST_INSTANCE"] == "ingest-1"
    assert remembered_project(tmp_path / "ingest-1" / "ingest-1") == "alpha"


def test_a_replica_that_knows_its_project_keeps_it(tmp_path: Path) -> None:
    for number, name in enumerate(("alpha", "beta")):
        remember_project(tmp_path / f"ingest-{number}" / f"ingest-{number}", name)

    for _ in range(2):
        claim_slot("ingest", {"DRIFTLOOP_INGEST_STATE_DIR": str(tmp_path)})

    assert [remembered_project(tmp_path / f"ingest-{n}" / f"ingest-{n}") for n in range(2)] == ["alpha", "beta"]
