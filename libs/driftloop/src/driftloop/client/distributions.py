"""One column of one window beside what it was in training: the profile's histogram, and the window's rows in the same slots."""

from datetime import datetime

import msgspec

from driftloop.artifact.model_files import PROFILE, load_file, load_manifest
from driftloop.client.arguments import checked_name
from driftloop.client.connections import Connections
from driftloop.client.models import model
from driftloop.client.rows import rows
from driftloop.client.told_events import drift
from driftloop.contracts.events import DriftReported
from driftloop.contracts.values import Part, Window
from driftloop.errors import ObjectNotFound, UserError
from driftloop.statistics.profile import SCORE, Column, Profile

SHOWN_NAMES = 40


class Distribution(Part, frozen=True, kw_only=True):
    """``column``: layout and counts of the training data (``statistics.profile``), or of their ``season`` a year before; ``counts``: the
    window's, slot by slot."""

    model: str
    version: int
    feature: str
    window: Window
    column: Column
    counts: tuple[int, ...]
    season: Window | None = None


def distribution(to: Connections, name: str, feature: str, start: datetime | None) -> Distribution:
    """Of the newest window that a version scored, or of the one that begins at ``start``; ``feature``: as drift reports name it.

    Raises UserError where there is no such window or column, IntegrityError for a damaged profile, TransientError.
    """
    report = _report(to, checked_name(name, "model name"), start)
    assert report.version is not None
    return distribution_of(to, name, report.version, report.stream, report.window, feature)


def distribution_of(to: Connections, name: str, version: int, stream: str, window: Window, feature: str) -> Distribution:
    """Of a window that is known to have been compared with this version. Raises as ``distribution``."""
    from driftloop.artifact.watched_profile import watched_profile  # numpy
    from driftloop.statistics.histograms import Counter

    known = next((v for v in model(to.registry, name).versions if v.version == version), None)
    if known is None:
        raise UserError(f"version {version} of {name}, which scored the window, is not in the registry any more")
    try:
        watched = known.watched
        if watched is not msgspec.UNSET:
            profile = watched_profile(to.store, name, known.manifest, watched)[1].profile
        else:
            manifest = load_manifest(to.store, name, known.manifest)
            profile = Profile.decode(load_file(to.store, manifest, known.manifest, PROFILE))
    except ObjectNotFound as exc:
        raise UserError(f"the files of version {version} of {name} are gone: {exc}") from exc
    column = profile.columns.get(feature)
    if column is None:
        raise UserError(f"{name} has no column {feature!r}; it has {', '.join(list(profile.columns)[:SHOWN_NAMES])}")
    wanted = "score" if feature == SCORE else feature.partition(".")[0]
    dataset = rows(
        to,
        stream,
        table="inferences",
        since=window.start,
        as_of=window.end,
        known=None,
        snapshot=None,
        columns=[wanted, "model_version"],
        labelled_only=False,
    )
    table = dataset.to_arrow()
    import pyarrow.compute as pc

    scored = table.filter(pc.equal(table.column("model_version"), version))
    counts = Counter(_only(profile, feature)).count(scored)[feature]
    season = None if profile.season is msgspec.UNSET else profile.season
    now = tuple(counts.tolist())
    return Distribution(model=name, version=version, feature=feature, window=window, column=column, counts=now, season=season)


def _report(to: Connections, name: str, start: datetime | None) -> DriftReported:
    reports = [told.event for told in drift(to.topics, name, lambda _: None)]
    scored = [report for report in reports if report.version is not None and report.profile is not None]
    wanted = [report for report in scored if start is None or report.window.start == start]
    if not wanted:
        model(to.registry, name)  # or there is none of that name
        which = "no window" if start is None else f"no window that begins at {start.isoformat()}"
        raise UserError(f"{which} of {name} has been compared with a version's training data yet; see `driftloop drift {name}`")
    return max(wanted, key=lambda report: (report.window.end, report.rows))


def _only(profile: Profile, name: str) -> Profile:
    return msgspec.structs.replace(profile, columns={name: profile.columns[name]})
