"""A version back to bytes, and forward to its predictions."""

from driftloop.client.connections import Connections
from driftloop.client.models import model
from driftloop.contracts.values import Part, Time
from driftloop.errors import ObjectNotFound
from driftloop.lineage.chain import Link
from driftloop.lineage.lake_files import live_files, open_inferences
from driftloop.lineage.predictions import predictions_by_version
from driftloop.lineage.reproduction import found_version
from driftloop.lineage.version_chain import all_hold, version_chain
from driftloop.registry.state import ApprovalStatus, ModelState, ModelVersion


class Predictions(Part, frozen=True, kw_only=True):
    """Rows that the version scored, with the event times of the first and the last; repeats of an event id count."""

    rows: int
    first: Time | None
    last: Time | None
    files: int


class VersionLineage(Part, frozen=True, kw_only=True):
    """``links``: what the version was made from, each fetched and hashed again; ``aliases``: that point at it now."""

    version: ModelVersion
    standing: ApprovalStatus | None
    aliases: tuple[str, ...]
    links: tuple[Link, ...]
    predictions: Predictions

    @property
    def ok(self) -> bool:
        """Whether every link holds."""
        return all_hold(self.links)


def version_lineage(to: Connections, name: str, number: int) -> VersionLineage:
    """Raises UserError when there is no such version or it was deleted, TransientError."""
    known = model(to.registry, name).state()
    version = found_version(known, number)
    return VersionLineage(
        version=version,
        standing=known.standings.get(number),
        aliases=tuple(sorted(alias.name for alias in known.aliases.values() if alias.version == number)),
        links=tuple(version_chain(to.store, known, version)),
        predictions=_predictions(to, known, number),
    )


def _predictions(to: Connections, known: ModelState, number: int) -> Predictions:
    none = Predictions(rows=0, first=None, last=None, files=0)
    if known.project is None:
        return none
    stream = known.project.stream
    try:
        delta = open_inferences(to.s3, stream)
    except ObjectNotFound:  # nothing was ingested yet
        return none
    made = predictions_by_version(to.store, f"lake/{stream}/inferences", live_files(delta, to.s3.table_uri(stream, "inferences")))
    return Predictions(**made[number]._asdict()) if number in made else none
