"""What the local stack tells a person who has to act."""

from driftloop.errors import UserError


class LocalStackError(UserError):
    """The stack cannot go on: a sentence that says what to do, never a traceback."""
