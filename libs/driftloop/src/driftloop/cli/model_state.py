"""A model's state as the registry answers it over HTTP: versions, pins, aliases, standings; its history is not part of it."""

import msgspec

from driftloop.cli.model_changes import checked
from driftloop.cli.registry_client import RegistryClient
from driftloop.errors import TransientError
from driftloop.registry.state import ModelState


def model_state(client: RegistryClient, name: str) -> ModelState:
    """Raises UserError when ``name`` is no name or no model, TransientError when the registry cannot be asked."""
    found = client.get(f"/models/{checked(name)}")
    standings = {version["version"]: version["standing"] for version in found["versions"] if version["standing"]}
    known = {field: found[field] for field in ("model", "project", "versions", "aliases")}
    try:
        return msgspec.convert(known | {"standings": standings}, type=ModelState)
    except msgspec.ValidationError as exc:
        raise TransientError(f"the registry's answer is not understood: {exc}") from exc


def all_models(client: RegistryClient) -> list[ModelState]:
    """Every model that the registry knows."""
    return [model_state(client, found["model"]) for found in client.get("/models")]
