"""Header names and content types on the data plane, and what the header of an inferences message says."""

from datetime import UTC, datetime

import msgspec

from driftloop.contracts.foreign_json import decoded
from driftloop.contracts.values import EARLIEST, LATEST, Count, Offset, Part
from driftloop.errors import InvalidMessage

JSON = "application/json"
ARROW = "application/vnd.apache.arrow.stream"

CONTENT_TYPE = "content-type"
WATERMARK = "driftloop-watermark"  # RFC 3339: the partition has no earlier rows after this message
REQUEST_RANGE = "driftloop-request-range"
REQUEST_POSITION = "driftloop-request-position"
UNREADABLE_BATCH = "driftloop-unreadable-batch"  # of a record that holds a whole batch as the broker has it: why it is not read

Headers = tuple[tuple[str, bytes], ...]


class RequestRange(Part, frozen=True, kw_only=True):
    """The contiguous request offsets ``[start, end)`` that one inferences message accounts for."""

    topic_id: str
    partition: Count
    start: Offset
    end: Offset
    quarantined: tuple[Offset, ...] = ()


class RequestPosition(Part, frozen=True, kw_only=True):
    """Where a message without a request range says that its partition's ranges had got to: all requests below ``offset`` are
    accounted for before this message. It accounts for none itself."""

    topic_id: str
    partition: Count
    offset: Offset


def header(headers: Headers, name: str) -> bytes | None:
    """The last value under ``name``, as Kafka clients understand repeated headers."""
    for key, value in reversed(headers):
        if key == name:
            return value
    return None


def media_type(content_type: bytes) -> bytes:
    """The type that a content-type names, in lower case and without its parameters (RFC 9110, 8.3.1)."""
    return content_type.partition(b";")[0].strip().lower()


def is_arrow(headers: Headers) -> bool:
    """Whether a message says that its value is an Arrow stream; without a content type it is JSON."""
    content_type = header(headers, CONTENT_TYPE) if headers else None
    return content_type is not None and media_type(content_type) == ARROW.encode()


def format_time(time: datetime) -> str:
    """RFC 3339 in UTC with microseconds."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """RFC 3339 with an offset, to UTC. Raises InvalidMessage for anything else."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as exc:
        raise InvalidMessage(f"{text!r} is not an RFC 3339 time") from exc
    if time.tzinfo is None:
        raise InvalidMessage(f"{text!r} has no UTC offset")
    if not EARLIEST <= time <= LATEST:  # a day beyond that, and UTC's calendar ends
        raise InvalidMessage(f"{text!r} is not between the years 1 and 9999")
    return time.astimezone(UTC)


def watermark(headers: Headers, latest: datetime | None = None) -> datetime | None:
    """The watermark that a message carries, if any. Raises InvalidMessage when it cannot be read, or lies beyond ``latest``:
    a watermark never falls, so one of a wrong clock would make all rows to come late."""
    value = header(headers, WATERMARK)
    if value is None:
        return None
    try:
        mark = parse_time(value.decode())
    except UnicodeDecodeError as exc:
        raise InvalidMessage(f"header {WATERMARK} is not UTF-8") from exc
    if latest is not None and mark > latest:
        raise InvalidMessage(
            f"{format_time(mark)} lies in the future; where event times are ahead of the clock, the project says: [stream] clock = 'replay'"
        )
    return mark


def watermark_header(time: datetime) -> tuple[str, bytes]:
    return WATERMARK, format_time(time).encode()


def range_header(value: RequestRange) -> tuple[str, bytes]:
    return REQUEST_RANGE, msgspec.json.encode(value)


def request_range(headers: Headers) -> RequestRange | None:
    """The range of an inferences message; None for rows that came by HTTP. Raises InvalidMessage when it cannot be read."""
    value = header(headers, REQUEST_RANGE)
    if value is None:
        return None
    return decoded(value, RequestRange, f"header {REQUEST_RANGE}")


def position_header(value: RequestPosition) -> tuple[str, bytes]:
    return REQUEST_POSITION, msgspec.json.encode(value)


def request_position(headers: Headers) -> RequestPosition | None:
    """What a message says of its partition's ranges, if anything. Raises InvalidMessage."""
    value = header(headers, REQUEST_POSITION)
    if value is None:
        return None
    return decoded(value, RequestPosition, f"header {REQUEST_POSITION}")
