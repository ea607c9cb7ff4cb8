"""The registry's state made again from its log, and compared with the live one."""

import tempfile
from pathlib import Path

from driftloop.adapters.registry_view import RegistryView
from driftloop.client.connections import Connections
from driftloop.contracts.values import Part
from driftloop.errors import TransientError, UserError
from driftloop.history.registry_follower import read_registry
from driftloop.registry.fold import RegistryState
from driftloop.registry.records import DIGEST_VERSION
from driftloop.registry.view import ViewBroken, ViewUnavailable


class RebuiltRegistry(Part, frozen=True, kw_only=True):
    """Digests at one offset of the log: of the live state, of its database, and of a fresh database; ``same``: all, and the fold's."""

    offset: int
    live: str
    live_database: str
    rebuilt: str
    same: bool


def rebuilt_registry(to: Connections) -> RebuiltRegistry:
    """Fold the log into a fresh database and compare. Stops nothing and changes nothing.

    Raises TransientError; UserError when the live registry counts its digest by another rule.
    """
    live = to.registry.get("/digest")
    if live.get("digest_version", 1) != DIGEST_VERSION:
        raise UserError(
            f"the live registry counts its digest by rule {live.get('digest_version', 1)}, this program by rule {DIGEST_VERSION}: "
            "compare with the driftloop of the registry's own release"
        )
    state = read_registry(to.topics, below=live["offset"])
    folder = Path(to.registry.get("/status")["database"]["path"]).parent
    rebuilt = _through_a_fresh_database(state, folder if folder.is_dir() else Path(tempfile.gettempdir()))
    return RebuiltRegistry(
        offset=state.next_offset,
        live=live["digest"],
        live_database=live["view_digest"],
        rebuilt=rebuilt,
        same=live["digest"] == live["view_digest"] == state.digest() == rebuilt,
    )


def _through_a_fresh_database(state: RegistryState, folder: Path) -> str:
    """Written, read back and thrown away."""
    try:
        with tempfile.TemporaryDirectory(prefix="registry-rebuild-", dir=folder) as fresh:
            view = RegistryView(Path(fresh) / "registry.sqlite")
            view.recreate(state)
            digest = view.digest()[1]
            view.close()
            return digest
    except (ViewBroken, ViewUnavailable, OSError) as exc:
        raise TransientError(f"cannot write a database in {folder}: {exc}") from exc
