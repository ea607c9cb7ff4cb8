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


def mutation(**changes: object) -> Mutation:
    here = "tests/architecture/test_mutations.py"
    good = Mutation("m", "g", here, "return good._replace(**changes)", "return good", (f"{here}::test_no_two_mutations_share_a_name",))
    return good._replace(**changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"text": "what stands nowhere" + " in the file"}, "the text occurs 0 times"),
        ({"text": "import"}, "times in tests/architecture/test_mutations.py"),
        ({"file": "libs/gone.py"}, "libs/gone.py does not exist"),
        ({"replacement": "return good._replace(**changes)"}, "the replacement changes nothing"),
        ({"tests": ()}, "no test has to notice"),
        ({"tests": ("tests/architecture/test_mutations.py::test_gone",)}, "there is no test"),
        ({"tests": ("tests/gone.py::test_gone",)}, "there is no test"),
        ({"tests": ("tests/architecture/test_mutations.py",)}, "there is no test"),
    ],
)
def test_what_no_longer_fits_is_said(changes: dict[str, object], said: str) -> None:
    broken = mutation(**changes)
    assert any(said in problem for problem in stale(broken, REPOSITORY))


def test_a_guard_is_taken_out_of_the_copy_alone_and_only_where_it_is_known(tmp_path: Path) -> None:
    copy = tmp_path / "guard.py"
    copy.write_text("if late:\n    refuse()\n")
    out = mutation(file="guard.py", text="if late:", replacement="if False:")
    out.apply(tmp_path)
    assert copy.read_text() == "if False:\n    refuse()\n"
    with pytest.raises(ValueError, match="occurs 0 times"):
        out.apply(tmp_path)
