"""Names and digests become keys, topics and URLs: neither a pattern search nor a full match lets anything else in."""

import msgspec
import pytest

from driftloop.contracts.names import Digest, Name, is_digest, is_name

GOOD, BAD = ("flights", "a", "0-x", "a" * 63), ("flights\n", "Flights", "", "-a", "a.b", "../a", "a/b", "a\x00", "a" * 64, "é")


class Named(msgspec.Struct):
    name: Name


class Digested(msgspec.Struct):
    digest: Digest


@pytest.mark.parametrize("name", GOOD)
def test_a_name_is_a_name_in_code_and_in_messages(name: str) -> None:
    assert is_name(name)
    assert msgspec.convert({"name": name}, Named).name == name


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_name_is_none_in_code_and_in_messages(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode({"name": name}), type=Named)


@pytest.mark.parametrize("digest", ["0" * 63, "0" * 65, "0" * 63 + "A", "0" * 64 + "\n", "../" + "0" * 61])
def test_what_is_no_digest_is_none_in_code_and_in_messages(digest: str) -> None:
    assert not is_digest(digest)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode({"digest": digest}), type=Digested)


def test_a_digest_is_one_in_code_and_in_messages() -> None:
    assert is_digest("0f" * 32)
    assert msgspec.convert({"digest": "0f" * 32}, Digested).digest == "0f" * 32
