"""The report: ratios, aims, and a table that a person can read."""

import math

import msgspec
import pytest
from bench.figures import Aim, Figure, Limit, as_json, as_table, number


def figure(value: float = 300_000.0, limit: float = 600_000.0, aim: Aim | None = None) -> Figure:
    return Figure(name="fold", what="rows folded", value=value, unit="rows/s", limit=Limit("decoding alone", limit), aim=aim, note="noisy")


def test_the_ratio_is_figure_by_limit() -> None:
    assert figure().ratio == 0.5
    assert math.isnan(figure(limit=0.0).ratio)


@pytest.mark.parametrize(
    ("aim", "met"),
    [
        (Aim(300_000, "at least"), True),
        (Aim(300_001, "at least"), False),
        (Aim(300_000, "at most"), True),
        (Aim(299_999, "at most"), False),
        (Aim(0.5, "at most", of="ratio"), True),
        (Aim(0.6, "at least", of="ratio"), False),
        (None, None),
    ],
)
def test_an_aim_bounds_the_figure_or_its_ratio(aim: Aim | None, met: bool | None) -> None:
    assert figure(aim=aim).met is met


def test_the_table_names_the_figure_its_limit_the_ratio_and_the_aim() -> None:
    text = as_table([figure(aim=Aim(400_000, "at least"))])
    line = text.splitlines()[1]
    assert line.split() == ["fold", "300,000", "rows/s", "600,000", "0.5×", "≥", "400,000", "missed"]
    assert "limit: decoding alone" in text
    assert "noisy" in text


def test_json_holds_ratio_and_verdict_and_what_could_not_be_measured() -> None:
    report = msgspec.json.decode(as_json([figure(aim=Aim(1.0, "at most", of="ratio"))], {"ingest": "no broker"}))
    assert report["failed"] == {"ingest": "no broker"}
    assert report["figures"][0] | {"ratio": 0.5, "met": True, "unit": "rows/s"} == report["figures"][0]
    assert report["figures"][0]["limit"] == {"what": "decoding alone", "value": 600_000.0}


@pytest.mark.parametrize(("value", "text"), [(412_345.6, "412,000"), (1_234.0, "1,230"), (3.2149, "3.21"), (0.01234, "0.0123"), (0, "0")])
def test_numbers_show_three_digits(value: float, text: str) -> None:
    assert number(value) == text
