"""Options that several commands have."""

import click

from driftloop.cli.output import say

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def tell(text: str) -> None:
    """What is told meanwhile goes to stderr: stdout is the answer's."""
    say(text, err=True)
