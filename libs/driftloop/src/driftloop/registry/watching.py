"""How a version that is served elsewhere comes: traffic names it, or a person chooses what it is compared with."""

import msgspec

from driftloop.contracts.commands import WatchVersion
from driftloop.contracts.watched import MOST_WATCHED, Watched, watched_digest, why_not_served_as
from driftloop.registry.outcomes import Change, moved, refused
from driftloop.registry.state import CHAMPION, ModelState, ModelVersion, Outcome


def watch_version(model: ModelState, command: WatchVersion) -> Change:
    """A number for the version, and the alias champion where it is the one that answers now.

    A version whose name is new is the one that the other system has just begun to serve; one that gets another reference stays
    what it was. While a version of ours is champion, neither changes who answers.
    """
    if model.project is None or model.project.served_by is msgspec.UNSET:
        return refused(f"model {model.model!r} is served by driftloop; a project of a model that is not says: served_by = 'elsewhere'")
    problem = why_not_served_as(command.served_as)
    if problem is not None:
        return refused(problem)
    known, reference = model.newest_watched(command.served_as), command.reference
    before = known.watched.reference if known is not None and known.watched is not msgspec.UNSET else None
    if known is not None and reference in (None, before):
        return Change(Outcome(accepted=True, reason=f"version {known.version} already", version=known.version))
    if known is None and len(model.watched_versions()) >= MOST_WATCHED:
        most = f"{MOST_WATCHED} versions of {model.model} that are served elsewhere are known, which are the most"
        return refused(f"{most}: does each record name a version of its own?")
    if reference is None:
        newest = model.newest_watched()
        reference = newest.watched.reference if newest is not None and newest.watched is not msgspec.UNSET else None
    return _added(model, command, Watched(served_as=command.served_as, reference=reference), new=known is None)


def _added(model: ModelState, command: WatchVersion, watched: Watched, *, new: bool) -> Change:
    number, champion = len(model.versions) + 1, model.champion
    version = ModelVersion(
        model=model.model,
        version=number,
        request_id=command.command_id,
        manifest=watched_digest(model.model, watched),
        pins=None,
        registered_at=command.at,
        watched=watched,
    )
    after = msgspec.structs.replace(
        model, versions=(*model.versions, version), requests=model.requests.added(version.request_id, version.version)
    )
    reason = f"version {number}: {watched.served_as} of another system"
    answers = champion is None or (champion.watched is not msgspec.UNSET and (new or champion.watched.served_as == watched.served_as))
    if answers:
        return moved(after, CHAMPION, number, command, reason)
    return Change(Outcome(accepted=True, reason=reason, version=number), after)
