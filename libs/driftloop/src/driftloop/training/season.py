"""With which of its training rows a version's windows are compared: all of them, or the same season a year ago."""

from datetime import UTC, datetime, timedelta

import numpy as np
from msgspec import UNSET

from driftloop.contracts.values import Window
from driftloop.contracts.windows import parse_duration, shifted
from driftloop.project.model import Project
from driftloop.statistics.profile import Profile
from driftloop.training.fit import Mask, TrainingRows
from driftloop.training.recipes import micros

YEAR = timedelta(days=365)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def season(project: Project, rows: TrainingRows, mask: Mask) -> Window | None:
    """The season that began a year before the end of the ``mask``'s rows, in which the windows to come will fall.

    None where the project asks for none, where the rows do not reach back to its beginning, or where fewer of them fall into it than
    the gate wants to judge on: a version is then compared with all of its training rows.
    """
    if project.monitoring.season is None or not mask.any():
        return None
    times = rows.times[mask]
    end = EPOCH + timedelta(microseconds=int(times.max()))
    start = shifted(end, -YEAR)
    found = Window(start=start, end=shifted(start, parse_duration(project.monitoring.season)))
    if micros(start) < times.min() or int(within(rows, mask, found).sum()) < project.promotion.min_rows:
        return None
    return found


def told(profile: Profile) -> tuple[str, ...]:
    """For the card."""
    if profile.season is UNSET:
        return ()
    of = profile.season
    return (f"Its windows are compared with the same season a year before, {of.start:%Y-%m-%d} to {of.end:%Y-%m-%d}.",)


def within(rows: TrainingRows, mask: Mask, window: Window | None) -> Mask:
    """Of the ``mask``'s rows those of the window; all where there is none."""
    return mask if window is None else np.logical_and(mask, rows.between(window.start, window.end))
