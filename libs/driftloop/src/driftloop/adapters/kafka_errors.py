"""kafka-python's errors, sorted once by what to do about them."""

from collections.abc import Iterator
from contextlib import contextmanager

from kafka import errors as k

from driftloop.errors import ConfigurationError, GapError, MessageTooLarge, TransientError

TOO_LARGE = (k.MessageSizeTooLargeError, k.RecordListTooLargeError)
_CONFIGURATION = (
    k.KafkaConfigurationError,
    k.UnsupportedCodecError,
    k.InvalidTopicError,
    k.InvalidGroupIdError,
    k.InvalidSessionTimeoutError,
)


_RIGHTS = {  # what a right that is missing is about
    k.TopicAuthorizationFailedError: "this topic",
    k.GroupAuthorizationFailedError: "this consumer group",
    k.ClusterAuthorizationFailedError: "this about the cluster",
    k.TransactionalIdAuthorizationFailedError: "this transactional id",
}


def refused_right(failure: BaseException | None) -> str | None:
    """A right that the broker misses, and what to do; None when the failure is another."""
    if isinstance(failure, k.AuthorizationError):
        about = _RIGHTS.get(type(failure), "this")
    elif isinstance(failure, k.KafkaError) and k.ClusterAuthorizationFailedError.__name__ in str(failure):
        # a producer's id, which the broker gives to whoever may write to some topic: kafka-python tells of the refusal in the text alone
        about = "this topic, nor any other"
    else:
        return None
    return (
        f"the broker's rights allow this user not {about} ({failure}): `driftloop acls show` says which rights who needs, "
        "`driftloop acls apply` gives them"
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
    except k.AuthorizationError as exc:
        raise ConfigurationError(f"{doing}: {refused_right(exc)}") from exc
    except _CONFIGURATION as exc:
        raise ConfigurationError(f"{doing}: {exc}") from exc
    except (k.KafkaError, OSError) as exc:
        raise TransientError(f"{doing}: {exc}") from exc
