"""`driftloop datasets show --file`: which models, and which predictions, used a file of the lake."""

import sys

from rich.console import Console

from driftloop.adapters.s3 import MinioObjectStore
from driftloop.cli.context import StackInfo
from driftloop.cli.model_state import all_models
from driftloop.cli.output import emit, table
from driftloop.cli.registry_client import RegistryClient
from driftloop.lineage.file_use import FileUse, file_use


def show_file(stack: StackInfo, ref: str, as_json: bool) -> None:
    """Exit code 1 when the stored bytes are not those that were pinned."""
    found = file_use(MinioObjectStore(stack.s3), stack.s3, all_models(RegistryClient(stack.registry_url)), ref)
    emit(found, as_json, lambda console: _show(console, found))
    if found.problem is not None:
        sys.exit(1)


def _show(console: Console, found: FileUse) -> None:
    console.print(f"{found.stream}/{found.table}/{found.path}: {found.rows:,} rows, sha256 {found.sha256}", highlight=False, soft_wrap=True)
    console.print(f"✗ {found.problem}" if found.problem else "✓ hashed again", highlight=False, soft_wrap=True)
    if found.holds:
        by = {version: "no model" if version == "None" else f"version {version}" for version in found.holds}
        console.print(f"its rows were scored: {', '.join(f'{rows:,} by {by[v]}' for v, rows in found.holds.items())}", highlight=False)
    rows = ([v.model, v.version, v.snapshot[:12], f"{v.predictions:,}"] for v in found.versions)
    title = f"pinned by {len(found.snapshots)} snapshots; versions trained on it"
    console.print(table(title, ["model", "version", "snapshot", "predictions"], rows))
