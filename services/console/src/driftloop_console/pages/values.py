"""Numbers of tables as pages and JSON have them."""

from typing import Any

import numpy as np

from driftloop_console.columns import Array


def known(value: Any) -> float | None:
    """None for what is not known."""
    return float(value) if np.isfinite(value) else None


def rounded(values: Array) -> list[float | None]:
    """To six digits: a screen shows four, and an answer of a thousand points is a third as long."""
    return [float(f"{value:.6g}") if value == value else None for value in values.tolist()]
