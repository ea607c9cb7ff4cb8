"""What is done to a message before it is sent again, and what a person is told who asks for what cannot be."""

from pathlib import Path

import msgspec
import pytest
from tests.unit.redrive.messages import as_original, rejected, row

from driftloop.contracts.headers import ARROW, CONTENT_TYPE, header
from driftloop.contracts.redrives import REDRIVEN
from driftloop.errors import InvalidMessage, UserError
from driftloop.redrive.changes import AsItWas, assignment, set_fields, transform


def test_as_it_was_sends_the_original_bytes_key_and_headers() -> None:
    message = as_original(rejected(b"\xff{", headers=(("trace", b"1"),)))
    assert AsItWas().of(message) == (b"\xff{", b"key", (("trace", b"1"),))


def test_the_header_of_an_earlier_redrive_goes_with_the_place_that_it_was_of() -> None:
    message = as_original(rejected(row(0), headers=((REDRIVEN, b"{}"), ("trace", b"1"))))
    assert message.headers == (("trace", b"1"),)


@pytest.mark.parametrize(
    ("given", "path", "value"),
    [
        ("label=true", ("label",), True),
        ("amount=3.5", ("amount",), 3.5),
        ("kind=north", ("kind",), "north"),
        ('kind="5"', ("kind",), "5"),
        ("kind=a=b", ("kind",), "a=b"),
        ("kind=", ("kind",), ""),
        ("at.zone=null", ("at", "zone"), None),
    ],
)
def test_a_value_is_json_where_it_can_be_read_so_and_else_text(given: str, path: tuple[str, ...], value: object) -> None:
    assert assignment(given) == (path, value)


@pytest.mark.parametrize("given", ["label", "=true", "a..b=1", "", "kind=\udcff"])
def test_what_sets_nothing_is_said(given: str) -> None:
    with pytest.raises(UserError, match=r"PATH=VALUE|UTF-8"):
        assignment(given)


def test_fields_are_set_and_all_else_stays() -> None:
    change = set_fields(["amount=2", "more.deep=1"])
    made = change.of(as_original(rejected(row(1, amount="much", extra=[1]))))
    assert made is not None
    assert msgspec.json.decode(made.value or b"") == row(1, amount=2, extra=[1], more={"deep": 1})
    assert change.words == "amount set to 2, more.deep set to 1"


@pytest.mark.parametrize("value", [b"{", b"[1]", None, b"\xff"])
def test_no_field_can_be_set_of_what_is_no_object(value: bytes | None) -> None:
    with pytest.raises(InvalidMessage, match="no JSON object"):
        set_fields(["a=1"]).of(as_original(rejected(value)))


def test_no_field_can_be_set_inside_of_a_value() -> None:
    with pytest.raises(InvalidMessage, match="'kind' is no object"):
        set_fields(["kind.deep=1"]).of(as_original(rejected(row(1))))


def written(folder: Path, text: str) -> str:
    (folder / "fix.py").write_text(text)
    return f"{folder}/fix.py:fix"


def test_a_function_gives_a_row_bytes_or_nothing(tmp_path: Path) -> None:
    fix = transform(
        written(
            tmp_path,
            "def fix(m):\n    return None if m.row is None else {**m.row, 'amount': 1} if m.reason == 'broken' else m.value[:-1]\n",
        )
    )
    arrow = ((CONTENT_TYPE, ARROW.encode()),)
    assert fix.of(as_original(rejected(b"{"))) is None
    made = fix.of(as_original(rejected(row(1))))
    assert made is not None
    assert msgspec.json.decode(made.value or b"")["amount"] == 1
    assert fix.of(as_original(rejected(b"{}", reason="other"))) == (b"{", b"key", ((CONTENT_TYPE, b"application/json"),))
    assert transform(written(tmp_path, "def fix(m): return {}")).of(as_original(rejected(b"x", headers=arrow))) is not None
    assert fix.words.startswith("made by fix.py:fix, sha256 ")


def test_a_row_that_is_made_of_an_arrow_message_is_sent_as_json(tmp_path: Path) -> None:
    made = transform(written(tmp_path, "def fix(m): return {'a': 1}")).of(
        as_original(rejected(b"x", headers=((CONTENT_TYPE, ARROW.encode()), ("trace", b"1"))))
    )
    assert made is not None
    assert header(made.headers, CONTENT_TYPE) == b"application/json"
    assert header(made.headers, "trace") == b"1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def fix(m):\n    return m.row['x']\n", "failed on it, in line 2: KeyError: 'x'"),
        ("def fix(m): return 5\n", "gave a int"),
        ("def fix(m): return {'a': object()}\n", "TypeError"),
    ],
)
def test_what_a_function_breaks_on_is_said_of_its_message(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidMessage, match=said):
        transform(written(tmp_path, text)).of(as_original(rejected(row(1))))


@pytest.mark.parametrize(
    ("text", "said"), [("fix = 1\n", "has no function fix"), ("import nothing_of_the_kind\n", "in line 1: ModuleNotFoundError")]
)
def test_a_file_without_the_function_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        transform(written(tmp_path, text))


@pytest.mark.parametrize("named", ["fix", "fix.py", "fix.txt:fix", "nowhere.py:fix", "fix.py:1"])
def test_what_names_no_function_is_said(named: str) -> None:
    with pytest.raises(UserError):
        transform(named)
