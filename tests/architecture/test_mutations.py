"""The list of mutations does not rot: each still fits the code, its tests are there, and the document tells of it."""

from pathlib import Path

import pytest
from tests.mutations.catalogue import PARTS
from tests.mutations.document import document
from tests.mutations.mutation import Mutation, stale

REPOSITORY = Path(__file__).parents[2]
ALL = [mutation for part in PARTS.values() for mutation in part]


@pytest.mark.parametrize("mutation", ALL, ids=lambda mutation: mutation.name)
def test_a_mutation_still_fits_the_code_and_its_tests(mutation: Mutation) -> None:
    assert stale(mutation, REPOSITORY) == []


def test_no_two_mutations_share_a_name() -> None:
    names = [mutation.name for mutation in ALL]
    assert sorted(set(names)) == sorted(names)


def test_the_document_of_guards_is_the_generated_one() -> None:
    made = document(PARTS)
    assert (REPOSITORY / "docs" / "mutations.md").read_text() == made, "python -m tests.mutations --document > docs/mutations.md"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A guard and the test that has to notice when it is gone."""
    (tmp_path / "guard.py").write_text("if late:\n    refuse()\n")
    (tmp_path / "test_guard.py").write_text("class TestGuard:\n    def test_late(self): ...\n    def helper(self): ...\n")
    return tmp_path


GOOD = Mutation("m", "g", "guard.py", "if late:", "if False:", ("test_guard.py::TestGuard::test_late",))


def test_what_fits_has_no_problems(tree: Path) -> None:
    assert stale(GOOD, tree) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"text": "if early:"}, "the text occurs 0 times in guard.py"),
        ({"text": "e"}, "the text occurs 3 times in guard.py"),
        ({"file": "gone.py"}, "gone.py does not exist"),
        ({"replacement": "if late:"}, "the replacement changes nothing"),
        ({"replacement": "if )"}, "the replacement leaves no Python"),
        ({"tests": ()}, "no test has to notice"),
        ({"tests": ("test_guard.py::test_late",)}, "there is no test test_guard.py::test_late"),
        ({"tests": ("test_guard.py::TestGuard::helper",)}, "there is no test test_guard.py::TestGuard::helper"),
        ({"tests": ("test_gone.py::test_late",)}, "there is no test test_gone.py::test_late"),
        ({"tests": ("test_guard.py",)}, "there is no test test_guard.py"),
    ],
)
def test_what_no_longer_fits_is_said(tree: Path, changes: dict[str, object], said: str) -> None:
    assert stale(GOOD._replace(**changes), tree) == [said]


def test_a_guard_is_taken_out_only_where_it_is_known(tree: Path) -> None:
    GOOD.apply(tree)
    assert (tree / "guard.py").read_text() == "if False:\n    refuse()\n"
    with pytest.raises(ValueError, match="occurs 0 times"):
        GOOD.apply(tree)
