"""`driftloop`: the commands, loaded when they are called so that each starts fast."""

import gc
import importlib
import logging
import sys

import click

from driftloop.cli.output import say

# command → (module, attribute, help shown in the list)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "init": ("driftloop.cli.init", "init", "Write a project from a file of rows."),
    "up": ("driftloop.cli.stack.up", "up", "Start a local stack and leave it running."),
    "down": ("driftloop.cli.stack.up", "down", "End the local stack; its data stays."),
    "status": ("driftloop.cli.stack.status", "status", "Services, lag per topic, champion."),
    "replay": ("driftloop.cli.stack.replay", "replay", "Play a project's rows as a stream, window after window."),
    "demo": ("driftloop.cli.stack.demo", "demo", "Run the closed loop on a year of real flights."),
    "retrain": ("driftloop.cli.retrain", "retrain", "Ask for a new version now."),
    "models": ("driftloop.cli.models", "models", "Model versions, aliases and their history."),
    "registry": ("driftloop.cli.registry", "registry", "Rebuild the registry's state from its log."),
    "performance": ("driftloop.cli.performance", "performance", "How a model does on new data, window by window."),
    "drift": ("driftloop.cli.drift", "drift", "How far each window has moved, and in which columns."),
    "trace": ("driftloop.cli.trace", "trace", "A prediction back to the bytes that it came from."),
    "datasets": ("driftloop.cli.datasets", "datasets", "Versions of the data in the lake."),
    "lake": ("driftloop.cli.lake", "lake", "Merge small files, delete what nobody names any more."),
    "topics": ("driftloop.cli.topics", "topics", "Topics that you have already: what is in them, and whether a project fits."),
    "partitions": ("driftloop.cli.partitions", "partitions", "Give a stream more partitions while it runs."),
    "acls": ("driftloop.cli.acls", "acls", "Who may do what on the broker: print it, or apply it."),
    "decisions": ("driftloop.cli.decisions", "decisions", "Every decision with its evidence."),
    "incidents": ("driftloop.cli.incidents", "incidents", "What drifted, from when to when."),
    "notifications": (
        "driftloop.cli.notifications",
        "notifications",
        "Messages to people: what arrived, what did not; a test of each rule.",
    ),
    "backtest": ("driftloop.cli.backtest", "backtest", "What the loop would have done with rows that are there already."),
    "quarantine": ("driftloop.cli.quarantine", "quarantine", "Rejected messages, with their bytes and reasons."),
}


class Commands(click.Group):
    """A group whose commands are imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


def _show_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from driftloop.code_version import code_version

        say(f"driftloop {code_version()}")
        ctx.exit()


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Version, digest of the sources, commit."
)
def cli() -> None:
    """Closed-loop MLOps on Apache Kafka: production traffic goes in, better models come out, every step is on the record."""


class _Told(logging.Handler):
    """What the library has to say about whose stack is asked is for whoever asks."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage(), err=True)


class SaidOnce(logging.Handler):
    """What goes wrong on the way is said once of each kind: a topic may hold any number of records that nobody can read."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        event = record.getMessage()
        if event not in self._said:
            self._said.add(event)
            reason = getattr(record, "fields", {}).get("reason")
            say(f"{event} (said once)" if reason is None else f"{event}: {reason} (said once)", err=True)


def main() -> None:
    """The console script. Wrong use is one line on stderr and exit code 2."""
    logging.getLogger("driftloop").addHandler(SaidOnce())
    about_stack = logging.getLogger("driftloop.installation")
    about_stack.addHandler(_Told())
    about_stack.setLevel(logging.INFO)
    gc.set_threshold(100_000, 50, 100)  # a command lives a second, and collecting while it imports costs a twentieth of it
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)  # click returns the code of an Exit that a command raised
    except click.exceptions.Exit as exc:
        sys.exit(exc.exit_code)
    except click.UsageError as exc:
        where = f"{exc.ctx.command_path}: " if exc.ctx else ""
        hint = f" (see `{exc.ctx.command_path} --help`)" if exc.ctx else ""
        say(f"error: {where}{exc.format_message()}{hint}", err=True)
        sys.exit(2)
    except click.ClickException as exc:
        say(f"error: {exc.format_message()}", err=True)
        sys.exit(exc.exit_code)
    except click.Abort:
        say("stopped", err=True)
        sys.exit(130)
