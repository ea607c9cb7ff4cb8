"""What a version that is served elsewhere is compared with: a stretch of the stream that somebody chooses."""

import getpass
from datetime import datetime

import msgspec

from driftloop.client.arguments import checked_name
from driftloop.client.connections import Connections
from driftloop.client.models import model
from driftloop.client.rows import rows
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Part, Window
from driftloop.contracts.watched import reference_key
from driftloop.errors import UserError
from driftloop.project.archives import load_project
from driftloop.registry.state import ModelState
from driftloop.stored import sha256_of


class WatchedFrom(Part, frozen=True, kw_only=True):
    """The number of a version that is served elsewhere, and what it is compared with from now on. ``labelled``: of the ``rows`` those whose
    truth is known. ``windows``: of the project's windows those that the stretch has rows of; with fewer than ``needed`` nothing is
    judged, and drift is shown and not called so."""

    version: int
    served_as: str
    window: Window
    rows: int
    labelled: int
    answered: int
    windows: int | None
    needed: int | None
    reason: str


def watch(to: Connections, name: str, start: datetime, end: datetime, reason: str, served_as: str | None) -> WatchedFrom:
    """Compare what ``served_as`` answers (by default the version that answers now) with the rows of ``[start, end)``.

    Raises UserError where the model is not served elsewhere or the stretch has no rows, TransientError.
    """
    from driftloop.training.reference_profile import reference_profile  # numpy

    known = model(to.registry, checked_name(name, "model name")).state()
    ref = known.project
    if ref is None or ref.served_by is msgspec.UNSET:
        raise UserError(f"{name} is served by driftloop, which compares it with its training data; nothing is to be chosen")
    if start >= end:
        raise UserError(f"a stretch begins before it ends, not from {start.isoformat()} to {end.isoformat()}")
    chosen = served_as or _answering(known)
    names = known.watched_versions()
    if names and chosen not in names:  # a new name would be who answers from now on
        others = ", ".join(sorted(names)[:10])
        raise UserError(f"no version of {name} is known as {chosen!r}: known are {others}; another one's first answer makes it known")
    project = load_project(to.store, ref)
    dataset = rows(to, ref.stream, table="joined", since=start, as_of=end, known=None, snapshot=None, columns=None, labelled_only=False)
    table = dataset.to_arrow()
    if not table.num_rows:
        raise UserError(f"the lake holds no row of {ref.stream} from {start.isoformat()} to {end.isoformat()} to compare with")
    numbers = frozenset(v.version for v in known.versions if v.watched is not msgspec.UNSET and v.watched.served_as == chosen)
    profile = reference_profile(project, table, numbers)
    data = profile.encode()
    digest = sha256_of(data)
    to.store.put(reference_key(name, digest), data)
    window = Window(start=start, end=end)
    about = {"window": msgspec.to_builtins(window), "rows": table.num_rows, "profile": digest}
    body = {"served_as": chosen, "reference": about, "actor": getpass.getuser(), "reason": reason}
    outcome = msgspec.convert(to.registry.change(f"/models/{name}/watched", body), prepared(_Outcome))
    return WatchedFrom(
        version=outcome.version,
        served_as=chosen,
        window=window,
        rows=table.num_rows,
        labelled=table.num_rows - table.column("label").null_count,
        answered=0 if profile.score_rows is msgspec.UNSET else profile.score_rows,
        windows=None if profile.drift is msgspec.UNSET else profile.drift.windows,
        needed=None if profile.drift is msgspec.UNSET else profile.drift.needed,
        reason=outcome.reason,
    )


class _Outcome(Part, frozen=True, kw_only=True):
    version: int
    reason: str


def _answering(known: ModelState) -> str:
    champion = known.champion if known.champion is not None and known.champion.served_elsewhere else known.newest_watched()
    if champion is None or champion.watched is msgspec.UNSET:
        raise UserError(f"no version of {known.model} that is served elsewhere is known yet: its first answer makes it known, or --as NAME")
    return champion.watched.served_as
