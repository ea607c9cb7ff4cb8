"""A person's mistake is one line on stderr with exit code 2, never a traceback."""

import functools
from collections.abc import Callable
from typing import ParamSpec

import click

from driftloop.cli.output import say
from driftloop.errors import ConfigurationError, GapError, IntegrityError, ObjectNotFound, TransientError, UserError

P = ParamSpec("P")


def one_line_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Wrap a command: known errors become a line that says what to do; an unknown one is a bug and keeps its traceback."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except UserError as exc:
            _fail(str(exc), 2)
        except TransientError as exc:
            _fail(f"{exc}; is the stack up? see `driftloop status`", 1)
        except (ConfigurationError, GapError, IntegrityError) as exc:
            _fail(str(exc), 1)
        except ObjectNotFound as exc:
            _fail(f"the store holds nothing under {exc}", 1)

    return wrapped


def _fail(message: str, code: int) -> None:
    say(f"error: {message}", err=True)
    raise click.exceptions.Exit(code)
