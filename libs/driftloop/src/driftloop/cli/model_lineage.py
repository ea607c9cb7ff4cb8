"""`driftloop models show NAME VERSION`: a version back to bytes, and forward to its predictions."""

import sys

import msgspec
from rich.console import Console

from driftloop.adapters.s3 import MinioObjectStore
from driftloop.cli.context import current_stack
from driftloop.cli.model_changes import registry_client
from driftloop.cli.model_state import model_state
from driftloop.cli.output import emit, table
from driftloop.cli.trace import show_links
from driftloop.errors import ObjectNotFound
from driftloop.lineage.chain import Link
from driftloop.lineage.lake_files import live_files, open_inferences
from driftloop.lineage.predictions import Made, predictions_by_version
from driftloop.lineage.reproduction import found_version
from driftloop.lineage.version_chain import all_hold, version_chain
from driftloop.registry.state import ModelState


def show_version(name: str, number: int, as_json: bool) -> None:
    """Exit code 1 when a link does not hold."""
    stack = current_stack()
    store, model = MinioObjectStore(stack.s3), model_state(registry_client(), name)
    version = found_version(model, number)
    links = version_chain(store, model, version)
    made = _predictions(store, model).get(number)
    data = {
        "version": msgspec.to_builtins(version),
        "standing": msgspec.to_builtins(model.standings.get(number)),
        "aliases": sorted(alias.name for alias in model.aliases.values() if alias.version == number),
        "links": msgspec.to_builtins(links),
        "predictions": made._asdict() if made else {"rows": 0, "first": None, "last": None, "files": 0},
    }
    emit(data, as_json, lambda console: _show(console, f"version {number} of {name}", links, made))
    if not all_hold(links):
        sys.exit(1)


def _predictions(store: MinioObjectStore, model: ModelState) -> dict[int | None, Made]:
    if model.project is None:
        return {}
    s3, stream = current_stack().s3, model.project.stream
    try:
        delta = open_inferences(s3, stream)
    except ObjectNotFound:  # nothing was ingested yet
        return {}
    return predictions_by_version(store, f"lake/{stream}/inferences", live_files(delta, s3.table_uri(stream, "inferences")))


def _show(console: Console, title: str, links: list[Link], made: Made | None) -> None:
    show_links(console, links, title)
    row = [f"{made.rows:,}", made.first, made.last, made.files] if made else [0, None, None, 0]
    console.print(table("its predictions", ["rows", "first event", "last event", "in files"], [row]))
