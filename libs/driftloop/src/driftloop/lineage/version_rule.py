"""Which rule gave a prediction its version, followed to the registry's record."""

from typing import Any

import msgspec

from driftloop.contracts.canary import VERSION_RULE, Rule
from driftloop.lineage.chain import Link
from driftloop.registry.state import ModelState

_LINK = "rule"


def rule_links(model: ModelState | None, row: dict[str, Any]) -> list[Link]:
    """None where the row says nothing: of a release before, or another system's answer. A feature may have had the column's name."""
    text = row.get(VERSION_RULE)
    schema = model.project.stream_schema if model is not None and model.project is not None else None
    if not isinstance(text, str) or (schema is not None and not schema.has_version_rule):
        return []
    rule = Rule.read(text)
    if rule is None:
        return [Link(link=_LINK, ok=False, what=text[:80], reason="no rule is written so")]
    if rule.epoch is None:
        return [Link(link=_LINK, ok=True, what=text)]
    record = model.canaries.get(rule.epoch) if model is not None else None
    if record is None:
        return [Link(link=_LINK, ok=False, what=text, reason=f"the registry knows no record of a canary of epoch {rule.epoch}")]
    what = f"{text}, {record.words()} by {record.by} since {record.since.isoformat()}"
    if (rule.kind == "canary") != (record.version == row["model_version"]):
        reason = f"that record is of version {record.version}, and version {row['model_version']} answered"
        return [Link(link=_LINK, ok=False, what=what, reason=reason, details=msgspec.to_builtins(record))]
    return [Link(link=_LINK, ok=True, what=what, details=msgspec.to_builtins(record))]
