"""docker-compose.yml as data, with the defaults of its variables: what a person gets who sets none."""

import re
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]


def compose_file(path: str = "docker-compose.yml") -> dict[str, Any]:
    text = (REPOSITORY / path).read_text(encoding="utf-8").replace("!reset ", "")
    content: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))
    return content
