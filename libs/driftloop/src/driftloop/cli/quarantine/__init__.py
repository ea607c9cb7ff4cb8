"""`driftloop quarantine`: messages that were rejected, where they came from, why, their original bytes, and sending them again."""

import click

from driftloop.cli.quarantine.listing import get, list_rejected, show
from driftloop.cli.quarantine.redrive import redrive


@click.group()
def quarantine() -> None:
    """Rejected messages, with their bytes and reasons; sent again when they are mended."""


for command in (list_rejected, show, get, redrive):
    quarantine.add_command(command)
