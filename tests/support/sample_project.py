"""A project over the small stream of ``tests.support.traffic``."""

from driftloop.contracts.schema import StreamSchema
from driftloop.project.model import CONFIG_FILE, PIPELINE_FILE, Project
from driftloop.project.reading import parse_project

_CONFIG = """
[project]
name = "{stream}"
model = "{stream}"

[stream]
name = "{stream}"
split_salt = "{split_salt}"
version = {version}

[features]
{features}

[target]
name = "{target.name}"
type = "{target.type}"
metric = "roc_auc"

[windows]
every = "1h"

[promotion]
min_rows = {min_rows}
approval = "{approval}"
{canary}
"""


def sample_project(
    schema: StreamSchema,
    split_salt: str = "driftloop",
    *,
    min_rows: int = 200,
    approval: str = "automatic",
    canary: tuple[str, ...] = (),
) -> Project:
    features = "\n".join(f'{f.name} = {{ type = "{f.type}", required = {str(f.required).lower()} }}' for f in schema.features)
    config = _CONFIG.format(
        stream=schema.stream,
        split_salt=split_salt,
        features=features,
        target=schema.target,
        version=schema.version,
        min_rows=min_rows,
        approval=approval,
        canary=f"canary = {list(canary)}" if canary else "",
    )
    return parse_project({CONFIG_FILE: config.encode(), PIPELINE_FILE: b"def build():\n    raise NotImplementedError\n"}, where="sample")
