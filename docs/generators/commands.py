"""``python -m docs.generators.commands > docs/commands.md``: every command with its arguments and options, as ``--help`` has them."""

import sys
from collections.abc import Iterator

import click

from driftloop.cli.main import COMMANDS, cli

HEAD = """\
# Commands

Generated from the commands by `make docs`; a test compares the two.
`--json` prints what a program reads, `--help` says the same as this page.

Exit code 0: done. 1: looked, and something is wrong. 2: asked wrongly, in one sentence. 130: stopped.
"""


def page() -> str:
    context = click.Context(cli, info_name="driftloop")
    found = [HEAD]
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        found += _described(command, click.Context(command, parent=context, info_name=name))
    return "\n".join(found)


def _described(command: click.Command, context: click.Context) -> Iterator[str]:
    if isinstance(command, click.Group):
        yield f"## driftloop {context.info_name}\n\n{_text(command)}\n"
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _one(below, click.Context(below, parent=context, info_name=name), "###")
    else:
        yield from _one(command, context, "##")


def _one(command: click.Command, context: click.Context, level: str) -> Iterator[str]:
    yield f"{level} {context.command_path}\n"
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"```\n{usage}\n```\n"
    yield f"{_text(command)}\n"
    records = [record for option in command.get_params(context) if (record := option.get_help_record(context)) and option.name != "help"]
    if records:
        yield "| option | |"
        yield "| --- | --- |"
        yield from (f"| `{_cell(name)}` | {_cell(text)} |" for name, text in records)
        yield ""


def _text(command: click.Command) -> str:
    """The help as Markdown: a block that keeps its lines is one of code."""
    blocks = (command.help or command.get_short_help_str()).strip().split("\n\n")
    return "\n\n".join(_block(block) for block in blocks)


def _block(block: str) -> str:
    kept, _, lines = block.partition("\b\n")
    return f"```\n{lines}\n```" if lines and not kept else " ".join(block.replace("\b", "").split())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
