"""kafka-python's errors, sorted once by what to do about them."""

from collections.abc import Iterator
from contextlib import contextmanager

from kafka import errors as k

from driftloop.errors import ConfigurationError, GapError, MessageTooLarge, TransientError

TOO_LARGE = (k.MessageSizeTooLargeError, k.RecordListTooLargeError)
_CONFIGURATION = (
    k.KafkaConfigurationError,
    k.AuthorizationError,
    k.UnsupportedCodecError,
    k.InvalidTopicError,
    k.InvalidGroupIdError,
    k.InvalidSessionTimeoutError,
)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn kafka-python's exceptions into driftloop's, with what was being done in the message."""
    try:
        yield
    except k.OffsetOutOfRangeError as exc:
        raise GapError(f"{doing}: messages that were not read yet are gone from the topic: {exc}") from exc
    except TOO_LARGE as exc:
        raise MessageTooLarge(f"{doing}: {exc}") from exc
    except _CONFIGURATION as exc:
        raise ConfigurationError(f"{doing}: {exc}") from exc
    except (k.KafkaError, OSError) as exc:
        raise TransientError(f"{doing}: {exc}") from exc
