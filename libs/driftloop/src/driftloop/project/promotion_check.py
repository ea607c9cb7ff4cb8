"""What among the rules of promotion cannot be, by the setting whose line says so."""

import math
from collections.abc import Iterator

from msgspec import UNSET

from driftloop.contracts.canary_steps import problem_with_steps
from driftloop.project.model import Promotion
from driftloop.project.rules import Monitoring


def problems(promotion: Promotion, monitoring: Monitoring) -> Iterator[tuple[str, str]]:
    """Setting and message, which says what to write instead."""
    if not 0.5 <= promotion.confidence < 1:
        yield "confidence", "must be at least 0.5 and below 1"
    for name in ("max_segment_loss", "max_latency_ratio", "max_size_mib", "moved"):
        value = getattr(promotion, name)
        if value is not UNSET and not math.isfinite(value):
            yield name, f"promotion.{name}: must be a finite number; leave it out where anything goes"
    wrong = None if promotion.canary is UNSET else problem_with_steps(promotion.canary)
    if wrong is not None:
        yield "canary", f"promotion.canary: {wrong}"
    if promotion.canary_windows is not UNSET and promotion.canary is UNSET:
        yield "canary_windows", 'promotion.canary_windows: there is no canary whose steps could take windows: write canary = ["1 %", …]'
    if promotion.max_segment_loss is not UNSET and not monitoring.segments:
        yield "max_segment_loss", 'there are no segments that could lose: write segments = ["…"], category features, below [monitoring]'
