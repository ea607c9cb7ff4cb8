"""What the local stack tells a person who has to act."""


class LocalStackError(Exception):
    """The stack cannot go on: one line that says what to do, never a traceback."""
