"""`driftloop models`: versions, aliases, history, and what people change."""

import click

from driftloop.cli.models.canary import canary
from driftloop.cli.models.changes import CHANGES
from driftloop.cli.models.clean import clean_models
from driftloop.cli.models.listing import at, history, list_models
from driftloop.cli.models.recalibrations import recalibrate, recalibration
from driftloop.cli.models.reproduce import reproduce
from driftloop.cli.models.runs import runs
from driftloop.cli.models.show import show
from driftloop.cli.models.watch import watch


@click.group()
def models() -> None:
    """Model versions, aliases and their history."""


for command in (*CHANGES, canary, recalibration, recalibrate, reproduce, clean_models, list_models, show, history, at, runs, watch):
    models.add_command(command)
