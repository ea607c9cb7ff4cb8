"""The run as it is told: lines while it goes on, a report and a timeline of its faults afterwards."""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import msgspec

from bench.chaos.checks import Check
from bench.chaos.faults import Fault
from bench.chaos.storm import Happened

_LEFT, _ROW, _WIDTH, _TOP = 110, 18, 1000, 30


class Progress:
    """Lines on stdout with the seconds since the start; from any thread."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        sys.stdout.write(f"{time.monotonic() - self._began:7.1f} s  {text}\n")
        sys.stdout.flush()


def write_story(
    out: Path, seed: int, drawn: Sequence[Fault], happened: Sequence[Happened], checks: Sequence[Check], failures: Mapping[str, str]
) -> None:
    """``report.json`` and ``faults.svg``."""
    report = {
        "seed": seed,
        "held": all(check.ok for check in checks) and not failures,
        "given_up": dict(failures),
        "drawn": [fault._asdict() for fault in drawn],
        "happened": happened,
        "checks": checks,
    }
    (out / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    (out / "faults.svg").write_text(timeline(happened), encoding="utf-8")


def timeline(happened: Sequence[Happened]) -> str:
    """A line for each process: a bar for each pause, a mark for each kill."""
    targets = list(dict.fromkeys(fault.target for fault in sorted(happened, key=lambda fault: fault.target)))
    end = max((fault.until for fault in happened), default=1.0) or 1.0
    height = _TOP + _ROW * len(targets) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 20}" height="{height}" font-family="sans-serif" font-size="12">',
        f'<text x="{_LEFT}" y="16">{end:.0f} s; grey: paused, red: kill -9</text>',
    ]
    for number, target in enumerate(targets):
        y = _TOP + _ROW * number
        parts.append(f'<text x="0" y="{y + 11}">{escape(target)}</text>')
        parts.append(f'<line x1="{_LEFT}" y1="{y + 7}" x2="{_LEFT + _WIDTH}" y2="{y + 7}" stroke="#ddd"/>')
        for fault in (fault for fault in happened if fault.target == target):
            x = _LEFT + _WIDTH * fault.at / end
            width = max(2.0, _WIDTH * (fault.until - fault.at) / end)
            colour = "#c00" if fault.kind == "kill" else "#888"
            parts.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="14" fill="{colour}"/>')
    return "\n".join([*parts, "</svg>"])
