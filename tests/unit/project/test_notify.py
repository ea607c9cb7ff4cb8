"""``[[notify]]``: who is told what; what is wrong is told with its line."""

import pytest
from tests.support.sample_project import sample_project
from tests.support.traffic import small_schema

from driftloop.contracts.notify_rules import KINDS, NotifyRule
from driftloop.errors import UserError
from driftloop.project.model import CONFIG_FILE, Project
from driftloop.project.reading import parse_project

PLAIN = sample_project(small_schema("shop"))
LINES = len(PLAIN.files[CONFIG_FILE].decode().splitlines())


def read(rules: str) -> Project:
    return parse_project(PLAIN.files | {CONFIG_FILE: PLAIN.files[CONFIG_FILE] + rules.encode()}, where="shop")


def test_rules_are_read_and_a_project_without_any_has_none() -> None:
    assert PLAIN.notify == ()
    rules = """
[[notify]]
to = "https://hooks.example.com/a?team=1"
secret = "hooks"
events = ["incident", "gap"]
severity = 0.3
raised = true

[[notify]]
apprise = "slack"
"""
    hook, slack = read(rules).notify
    assert hook == NotifyRule(
        to="https://hooks.example.com/a?team=1", secret="hooks", events=("incident", "gap"), severity=0.3, raised=True
    )
    assert (slack.destination, slack.events) == ("apprise:slack", KINDS)


@pytest.mark.parametrize(
    ("rules", "line", "says"),
    [
        ('[[notify]]\nto = "https://a"\nevents = ["incidents"]', 3, "there is no event 'incidents'; those are incident, run-failed, "),
        ('[[notify]]\nto = "https://a"\n[[notify]]\nto = "ftp://b"', 4, "'ftp://b' cannot be posted to"),
        ('[[notify]]\nto = "https://"', 2, "names no host"),
        ('[[notify]]\nto = "https://a:port"', 2, "is no URL"),
        ('[[notify]]\nto = "https://user:word@a"', 2, "a URL with a password would be in the project's archive"),
        ('[[notify]]\nto = "https://a"\nsecret = "../../etc/passwd"', 3, "it is the name of a file in the notifier's folder of secrets"),
        ('[[notify]]\napprise = "slack://token"', 2, "the secret itself stays out"),
        ('[[notify]]\napprise = "slack"\nsecret = "hooks"', 3, "only webhooks are signed"),
        ('[[notify]]\nto = "https://a"\napprise = "slack"', 1, "give either to"),
        ('[[notify]]\nevents = ["gap"]', 1, "give either to"),
        ('[[notify]]\nto = "https://a"\nseverity = 2', 3, "<= 1"),
        ('[[notify]]\nto = "https://a"\nevents = []', 3, "name at least one of"),
        ('[[notify]]\nto = "https://a"\nsevrity = 1', 3, "unknown setting 'sevrity'; [[notify]] knows to, apprise, secret, events, "),
        ('[[notify]]\nto = "https://a"\n[[notify]]\nto = "https://a"', 4, "two rules send to https://a"),
        ('[notify]\nto = "https://a"', 1, "write [[notify]], with two brackets"),
        ("".join(f'[[notify]]\nto = "https://a/{n}"\n' for n in range(21)), 41, "21 rules: at most 20"),
    ],
)
def test_a_rule_that_is_wrong_is_told_with_its_line_and_what_to_do(rules: str, line: int, says: str) -> None:
    with pytest.raises(UserError) as told:
        read(rules)
    assert str(told.value).startswith(f"shop/{CONFIG_FILE}:{LINES + line}: ")
    assert says in str(told.value)
