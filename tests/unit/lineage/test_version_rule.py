"""A prediction's rule is followed to the registry's record of a canary."""

import pytest
from tests.unit.registry.canaries import CHAMPION, move
from tests.unit.registry.commands import MODEL, folded

from driftloop.lineage.version_rule import rule_links

KNOWN = folded(*CHAMPION, move("begin"), move("next", epoch=1))[0].model(MODEL)


@pytest.mark.parametrize(
    ("text", "version", "ok", "words"),
    [
        ("champion@1", 1, True, "champion@1"),
        ("canary 1 %@1", 2, True, "the canary of version 2 at 1 % by ada since"),
        ("champion@1 beside canary 10 %@2", 1, True, "at 10 %"),
        ("canary 1 %@1", 1, False, "that record is of version 2, and version 1 answered"),
        ("champion@1 beside canary 10 %@2", 2, False, "that record is of version 2, and version 2 answered"),
        ("canary 1 %@9", 2, False, "no record of a canary of epoch 9"),
        ("by the stars", 1, False, "no rule is written so"),
    ],
)
def test_a_rule_is_followed_to_its_record(text, version, ok, words):
    (link,) = rule_links(KNOWN, {"version_rule": text, "model_version": version})
    assert (link.link, link.ok) == ("rule", ok)
    assert words in f"{link.what} {link.reason}"


def test_a_row_that_says_nothing_has_no_such_link():
    assert rule_links(KNOWN, {"version_rule": None, "model_version": 1}) == rule_links(KNOWN, {"model_version": 1}) == []
