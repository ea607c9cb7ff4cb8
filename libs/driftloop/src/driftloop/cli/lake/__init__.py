"""`driftloop lake`: what ingest does by itself now and then, at once and by hand. Safe while ingest runs."""

import click

from driftloop.cli.lake.accept_gap import accept_gap
from driftloop.cli.lake.archive import archive
from driftloop.cli.lake.clean import clean_command
from driftloop.cli.lake.compact import compact
from driftloop.cli.lake.expire import expire


@click.group()
def lake() -> None:
    """Upkeep of the lake's files. What a snapshot pins stays readable whatever is done here."""


for command in (compact, clean_command, archive, expire, accept_gap):
    lake.add_command(command)
