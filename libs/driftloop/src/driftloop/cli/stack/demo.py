"""``driftloop demo``: the closed loop on a year of real flights, with one command."""

import os
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from driftloop.cli.errors import one_line_errors
from driftloop.cli.output import say
from driftloop.demo.example import HISTORY_WINDOWS, N_WINDOWS
from driftloop.local.paths import cache_dir, default_home
from driftloop.local.port_numbers import DEFAULT_PORT_BASE

INTERRUPTED = 130  # as shells say it


@click.command()
@click.option("--keep", is_flag=True, help="Leave the stack up at the end.")
@click.option(
    "--fraction", type=click.FloatRange(0, 1, min_open=True), default=1.0, help="Replay this part of the flights (no AUC floor then)."
)
@click.option(
    "--windows",
    type=click.IntRange(HISTORY_WINDOWS + 1, N_WINDOWS),
    default=N_WINDOWS,
    show_default=True,
    help="End after so many windows of the year (no AUC floor then).",
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Of the thinning and the trainings (default: the project's).")
@click.option("--port-base", type=int, default=DEFAULT_PORT_BASE, show_default=True, help="First of the stack's ports.")
@click.option(
    "--realtime",
    type=click.FloatRange(0, min_open=True),
    metavar="FACTOR",
    help="Replay at FACTOR x real time, without waiting for the loop.",
)
@click.option("--external", is_flag=True, help="Use the stack that DRIFTLOOP_CLI_... names instead of starting one.")
@click.option("--json", "as_json", is_flag=True, help="Print demo.json at the end; what happens meanwhile goes to stderr.")
@one_line_errors
def demo(
    keep: bool, fraction: float, windows: int, seed: int | None, port_base: int, realtime: float | None, external: bool, as_json: bool
) -> None:
    """Run the closed loop on a year of flights: a real Kafka, a real S3 store and the services, started and ended here.

    The exit code is 0 only if every row is accounted for, every window was decided on, and (with all flights) the
    predictions are good enough. .driftloop/demo.json and demo.svg keep what was found.
    """
    for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # SIGINT too: a shell's background jobs start with it ignored
        signal.signal(asked, _interrupt)
    from driftloop.demo.run import Options, run_demo  # imports pandas and scikit-learn: only when needed
    from driftloop.demo.tables import show
    from driftloop.installation import environment_addresses

    home = default_home()
    os.environ.setdefault("DRIFTLOOP_CACHE", str(cache_dir(home)))  # the demo's own home has none: jars stay where they are
    console = Console(stderr=as_json)
    options = Options(fraction, windows, seed, port_base, realtime, keep, environment_addresses() if external else None)
    try:
        report = run_demo(options, home, console)
    except KeyboardInterrupt:
        say("stopped", err=True)
        os._exit(INTERRUPTED)  # what the demo was doing is of no use any more, and its threads must not hold up the end
    show(report, console)
    console.print(f"figures: {home / 'demo.json'}  picture: {home / 'demo.svg'}", soft_wrap=True)
    if keep:
        console.print("the stack is still up: driftloop status, and at last driftloop down", soft_wrap=True)
        if shutil.which("driftloop") is None:
            console.print(f'first: export PATH="{Path(sys.executable).parent}:$PATH"', soft_wrap=True)
    if as_json:
        click.echo(report.as_json().decode())
    if not report.ok:
        raise click.exceptions.Exit(1)


def _interrupt(signal_number: int, frame: FrameType | None) -> None:
    """Whatever asks this process to end, asks it to end the stack first."""
    raise KeyboardInterrupt
