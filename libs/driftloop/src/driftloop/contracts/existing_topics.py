"""Topics that a team has already: which they are, in what format, and where in their records the columns of a stream are."""

from typing import Literal, assert_never

from driftloop.contracts.values import Part

Format = Literal["json", "avro", "protobuf", "json-schema"]
TimeFormat = Literal["rfc3339", "date", "unix", "unix_ms", "unix_us", "unix_days"]

KEY, TIMESTAMP, COORDINATES = "@key", "@timestamp", "@coordinates"
# What stands beside a record's value, and may be named where a path may.
WORDS: dict[str, str] = {
    KEY: "the record's key, as text",
    TIMESTAMP: "the record's timestamp, of the producer or of the broker as the topic is set",
    COORDINATES: "topic, partition and offset, such as orders.v1-3-1207",
}


class Source(Part, frozen=True, kw_only=True):
    """Where one column is.

    ``path``: names of fields divided by dots, from the value's outermost object on; or one of WORDS. ``time_format``: of times, where
    the format does not say it by itself; None: text is RFC 3339. A number is ``scale`` × what was sent + ``offset``.
    """

    path: str
    time_format: TimeFormat | None = None
    scale: float = 1.0
    offset: float = 0.0

    @property
    def is_word(self) -> bool:
        """Whether it stands beside the value, not in it."""
        return self.path.startswith("@")

    @property
    def steps(self) -> tuple[str, ...]:
        return tuple(self.path.split("."))


class TopicMapping(Part, frozen=True, kw_only=True):
    """A topic that is not ours, and by column where it is in a record. A column that is not named stands in by itself, as a request's
    entity does; all others must be."""

    topic: str
    format: Format
    columns: dict[str, Source]


class ExistingTopics(Part, frozen=True, kw_only=True):
    """The topics of a stream that are not ours: they are never made, set or deleted here. None: ours."""

    requests: str | None = None
    labels: str | None = None


OURS = ExistingTopics()


def needs_schemas(format: Format) -> bool:
    """Whether a record can be read with its schema alone, which a registry has. JSON of a schema is read as any JSON is: what
    counts is what the mapping finds."""
    match format:
        case "avro" | "protobuf":
            return True
        case "json" | "json-schema":
            return False
        case _:
            assert_never(format)
