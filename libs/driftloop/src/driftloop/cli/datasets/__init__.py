"""`driftloop datasets`: the tables of the lake, and the snapshots that models were trained on."""

import click

from driftloop.cli.datasets.diff import diff
from driftloop.cli.datasets.export import export
from driftloop.cli.datasets.listing import list_datasets
from driftloop.cli.datasets.show import show
from driftloop.cli.datasets.verify import verify


@click.group()
def datasets() -> None:
    """Versions of the data in the lake."""


for command in (diff, verify, export, list_datasets, show):
    datasets.add_command(command)
