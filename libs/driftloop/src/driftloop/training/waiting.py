"""What it has cost to keep a champion: gains of one run after the other, against the same champion. Values in, values out."""

import msgspec

from driftloop.contracts.values import GateMeasurements, WindowGain

KEPT = 24  # windows that later measurements still name


def with_earlier(found: GateMeasurements, before: GateMeasurements | None) -> GateMeasurements:
    """``found``, with the gains of earlier windows and their sum. ``before``: what the last run measured against any champion.

    Each window counts once, with the run that measured it last: a window that is judged a second time, or that overlaps the judged
    one, is left out of what came before.
    """
    gains, cost = _chain(before) if before is not None and before.champion_version == found.champion_version else ((), 0.0)
    kept = tuple(each for each in gains if each.window.end <= found.window.start)
    again = sum(each.gain for each in gains if each.window.end > found.window.start)
    return msgspec.structs.replace(found, earlier=kept[-KEPT:], waited=cost - again + found.gain)


def _chain(before: GateMeasurements) -> tuple[tuple[WindowGain, ...], float]:
    """All windows that these measurements know of, oldest first, and the sum of all gains since the promotion."""
    own = before.of_window()
    if own is None or before.earlier is msgspec.UNSET or before.waited is msgspec.UNSET:
        return (), 0.0  # of an earlier release
    return (*before.earlier, own), before.waited
