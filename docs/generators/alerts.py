"""``python -m docs.generators.alerts > docs/alerts.md``: the alerts of infra/prometheus/alerts.yml, each with what to do."""

import re
import sys
from pathlib import Path

import yaml

ALERTS = Path(__file__).parents[2] / "infra" / "prometheus" / "alerts.yml"
HEAD = """\
# Alerts

Generated from `infra/prometheus/alerts.yml` by `make docs`; a test compares the two. `page` wakes somebody, `warn` can wait until morning.
`{service}` and the like are filled in by Prometheus. What some of them lead to, step by step: [recoveries](recoveries.md).

| alert | | what it says | what to do | after |
| --- | --- | --- | --- | --- |
"""


def page() -> str:
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    return HEAD + "".join(_row(rule) for rule in rules)


def _row(rule: dict[str, object]) -> str:
    labels, told = rule["labels"], rule["annotations"]
    assert isinstance(labels, dict)
    assert isinstance(told, dict)
    says, act = (_plain(str(told[name])) for name in ("summary", "act"))
    return f"| {rule['alert']} | {labels['severity']} | {says} | {act} | {rule.get('for', 'at once')} |\n"


def _plain(text: str) -> str:
    """Its labels in braces, as one reads them; pipes are the table's."""
    return re.sub(r"\{\{ \$(?:labels\.)?(\w+)[^}]*\}\}", r"{\1}", text).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
