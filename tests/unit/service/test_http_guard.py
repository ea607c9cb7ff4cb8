"""Which callers a service answers: those who mean it, and no page of another site."""

import pytest

from driftloop.errors import ConfigurationError
from driftloop.service.http_guard import Caller, refusal
from driftloop.settings import Environment

NAMES = frozenset({"registry", "driftloop.corp.example"})


def asked(method="GET", host="localhost:29010", origin=None, site=None):
    return refusal(Caller(method, host, origin, site), NAMES)


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost:29010", "LOCALHOST", "localhost.", "127.0.0.1:29010", "127.8.8.8", "[::1]:29010", "10.1.2.3:8080"),
        *("[fe80::1]", "registry:8080", "driftloop.corp.example", "Driftloop.Corp.Example:443", None),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_host_that_is_this_service_is_answered(host, method):
    assert asked(method, host) is None


@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.example",
            "evil.example:29010",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "registry.evil.example",
            "evil-localhost",
        ),
        *(
            "",
            ":80",
            "@localhost",
            "localhost@evil.example",
            "evil.example/localhost",
            "[::1",
            "[evil]",
            "localhost:x",
            "127.1",
            "0x7f.0.0.1",
        ),
        *("localhost evil.example", "localhost,evil.example", "\x00"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_host_that_is_another_is_refused(host, method):
    refused = asked(method, host)

    assert refused.status == 421
    assert "HTTP_NAMES" in refused.reason


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "ANYTHING"])
@pytest.mark.parametrize(
    ("origin", "site"),
    [
        ("http://evil.example", None),
        ("http://localhost:3000", None),  # another server on this machine, of which nobody knows who wrote its pages
        ("http://localhost", None),
        ("null", None),
        ("http://[", None),  # no address at all
        ("", None),
        ("http://localhost:29010.evil.example", "same-origin"),
        (None, "cross-site"),
        (None, "same-site"),
    ],
)
def test_page_of_another_origin_changes_nothing(method, origin, site):
    assert asked(method, origin=origin, site=site).status == 403


@pytest.mark.parametrize(
    ("origin", "site"),
    [
        (None, None),
        ("http://localhost:29010", "same-origin"),
        ("HTTP://LocalHost:29010", None),
        (None, "none"),
        ("https://localhost:29010", None),
    ],
)
def test_programs_and_pages_of_this_service_may_change_things(origin, site):
    assert asked("POST", origin=origin, site=site) is None


def test_what_changes_nothing_is_answered_whoever_asks():
    assert asked("GET", origin="http://evil.example", site="cross-site") is None


def test_names_are_a_setting():
    env = Environment("registry", {"DRIFTLOOP_REGISTRY_HTTP_NAMES": " Registry, driftloop.corp.example ,"})

    assert env.host_names("HTTP_NAMES") == NAMES
    assert Environment("registry", {}).host_names("HTTP_NAMES") == frozenset()


@pytest.mark.parametrize("text", ["registry:8080", "a b", "*", "http://registry", "-x", "x" * 300])
def test_wrong_name_is_named_with_its_setting(text):
    with pytest.raises(ConfigurationError, match="DRIFTLOOP_REGISTRY_HTTP_NAMES"):
        Environment("registry", {"DRIFTLOOP_REGISTRY_HTTP_NAMES": text}).host_names("HTTP_NAMES")
