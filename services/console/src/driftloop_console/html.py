"""Values as HTML. Whatever a value holds is text: every template escapes, and none says otherwise."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
import msgspec

from driftloop_console.sentences import number

TEMPLATES = Path(__file__).parent / "templates"
MENU = (
    ("/", "Journal"),
    ("/now", "Now"),
    ("/performance", "Performance"),
    ("/drift", "Drift"),
    ("/models", "Models"),
    ("/data", "Data"),
    ("/prediction", "A prediction"),
)
PICTURE = (160.0, 28.0)  # width and height of the small one


class Html:
    def __init__(self) -> None:
        self._env = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            lstrip_blocks=True,
        )
        self._env.filters |= {"time": time, "decimal": number, "percent": percent, "count": count, "polyline": polyline, "pretty": pretty}
        self._env.globals["MENU"] = MENU
        for name in self._env.list_templates():  # compiled now, and not for the first who asks
            self._env.get_template(name)

    def render(self, template: str, **values: Any) -> str:
        return self._env.get_template(template).render(**values)


def time(value: datetime | None) -> str:
    return "–" if value is None else value.strftime("%Y-%m-%d %H:%M")


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def pretty(value: Any) -> str:
    """Evidence for a person: JSON with a line a value."""
    return json.dumps(msgspec.json.decode(msgspec.json.encode(value)), indent=1, ensure_ascii=False)


def polyline(values: Sequence[float | None], line: float | None = None) -> dict[str, Any]:
    """A small picture: points of a path in PICTURE's units, the last one's place, and where ``line`` lies."""
    width, height = PICTURE
    known = [value for value in values if value is not None]
    all_of_them = [*known, *([line] if line is not None else [])] or [0.0]
    low, high = min(all_of_them), max(all_of_them)
    span = (high - low) or 1.0
    step = (width - 6) / max(1, len(values) - 1)

    def y(value: float) -> float:
        return round(height - 3 - (height - 6) * (value - low) / span, 1)

    points = [(round(3 + i * step, 1), y(value)) for i, value in enumerate(values) if value is not None]
    path = " ".join(f"{x},{y_}" for x, y_ in points)
    return {"path": path, "last": points[-1] if points else None, "line": None if line is None else y(line), "low": low, "high": high}
