"""Errors sorted by what to do about them; adapters turn foreign errors into these, once."""


class InvalidMessage(ValueError):
    """The bytes can never be handled: quarantine them, do not retry."""


class TransientError(Exception):
    """The world was not ready: leave the offset, try again."""


class MessageTooLarge(Exception):
    """The broker will never take a message of that size: sending it again does not help."""


class ConfigurationError(Exception):
    """No message can succeed: stop the service and say which setting."""


class ObjectNotFound(LookupError):
    """The store answered, and it holds nothing under that key."""


class IntegrityError(Exception):
    """Stored bytes are not the bytes that were named: never use them."""


class Fenced(Exception):
    """Someone else has moved a cursor that this process held: drop the buffer, give up the partition."""


class GapError(Exception):
    """Offsets that must follow one another do not: rows would be lost, so stop loudly."""


class StartAgain(GapError):
    """What is missing to this process is there for the next one, or cannot be given up by anybody: a start goes on from what is there."""


class NotDelivered(StartAgain):
    """A message was not delivered, and later ones must not pass it: the next start repeats it, and nobody has to give anything up."""


class OutOfTurn(StartAgain):
    """A message came before one that it follows: the next start reads them again, or finds out that the one before is gone for good."""


class UserError(Exception):
    """Something the person at the keyboard can put right; shown as one line, never as a traceback."""
