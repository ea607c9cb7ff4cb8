"""Jars come from pinned coordinates, and nothing unpinned gets into the cache."""

from pathlib import Path

import pytest

from driftloop.local import jars
from driftloop.local.errors import LocalStackError


def test_every_jar_is_pinned_once_and_clients_match_the_broker() -> None:
    pinned = jars.pinned_jars()

    assert len({jar.filename for jar in pinned}) == len(pinned)
    assert all(len(jar.sha256) == 64 for jar in pinned)
    assert {jar.version for jar in pinned if jar.group == "org.apache.kafka"} == {"4.3.1"}


def test_a_download_that_is_not_the_pinned_file_is_refused_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = tmp_path / "wrong.jar"
    wrong.write_bytes(b"something else")
    monkeypatch.setattr(jars, "_download", lambda jar, scratch: wrong)

    with pytest.raises(LocalStackError, match="is not the pinned file"):
        jars.ensure_jars(tmp_path / "cache")

    assert list((tmp_path / "cache" / "jars").iterdir()) == []


def test_a_failed_download_is_one_line_that_names_the_jar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "DOWNLOAD_TIMEOUT_SECONDS", 2)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    with pytest.raises(LocalStackError, match=r"^cannot download [\w.:-]+ \(ProxyError\): check the network") as error:
        jars.ensure_jars(tmp_path / "cache")

    assert "\n" not in str(error.value)
