"""`driftloop models watch`: what a model that is served elsewhere is compared with."""

import click

from driftloop.cli.errors import one_line_errors
from driftloop.cli.options import as_json_option
from driftloop.cli.output import emit
from driftloop.client.arguments import time_of
from driftloop.client.changes import Changes
from driftloop.errors import UserError


@click.command()
@click.argument("name")
@click.option("--reference", required=True, metavar="FROM..TO", help="Event times of the stretch, such as 2026-05-01..2026-06-01.")
@click.option("--as", "served_as", help="The version, as the system calls it that serves it; default: the one that answers now.")
@click.option("--reason", required=True, help="Why; it stays on the record.")
@as_json_option
@one_line_errors
def watch(name: str, reference: str, served_as: str | None, reason: str, as_json: bool) -> None:
    """Compare what NAME, which is served elsewhere, gets from now on with a stretch of its stream that you choose.

    Thresholds are calibrated within the stretch. It gets a number of its own: windows of before stay what they were.
    """
    start, dots, end = reference.partition("..")
    if not dots:
        raise UserError(f"--reference {reference!r}: two times with .. between them, such as 2026-05-01..2026-06-01")
    found = Changes().watch(name, time_of(start), time_of(end), reason=reason, served_as=served_as)
    text = f"version {found.version} of {name} is {found.served_as}, compared with {found.rows:,} rows, {found.labelled:,} of them labelled"
    if found.windows is not None and found.needed is not None and found.windows < found.needed:
        text += f"; too short to judge by: {found.windows} windows, and {found.needed} are needed for the project's false-alarm budget"
    emit(found, as_json, lambda console: console.print(text, highlight=False))
