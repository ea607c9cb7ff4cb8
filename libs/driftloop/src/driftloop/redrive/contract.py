"""Whether a message would be taken now: asked of the services' own decoders, before anything is sent."""

from datetime import UTC, datetime

import pyarrow as pa

from driftloop.contracts import topics
from driftloop.contracts.headers import WATERMARK, header
from driftloop.contracts.schema import StreamSchema
from driftloop.errors import InvalidMessage
from driftloop.ports import Record
from driftloop.redrive.original import Changed, Original
from driftloop.rows.labels import LabelDecoder
from driftloop.rows.limits import check_id
from driftloop.rows.requests import RequestDecoder

MOST_BYTES = 4 * topics.MIB - 64 * 1024  # the topics' limit, with room for the header of a redrive and for what Kafka adds


class Contract:
    """Of one stream, as its project is registered now."""

    def __init__(self, schema: StreamSchema) -> None:
        self._requests, self._labels = topics.requests(schema.stream), topics.labels(schema.stream)
        self._rows, self._truths = RequestDecoder(schema), LabelDecoder(schema)

    def check(self, original: Original, changed: Changed) -> Changed:
        """What is to be sent: without a promise that the message may have carried, which was of its own moment.

        Raises InvalidMessage with a sentence when it would be rejected again, or would be another event.
        """
        if original.topic not in (self._requests, self._labels):
            raise InvalidMessage(_not_ours(original))
        if changed.value is None and header(changed.headers, WATERMARK) is not None:
            raise InvalidMessage("it is a watermark without a row, a promise of its own moment: the sender makes a new one")
        kept = changed._replace(headers=tuple(each for each in changed.headers if each[0] != WATERMARK))
        size = len(kept.value or b"") + len(kept.key or b"") + sum(_size(name) + len(value) for name, value in kept.headers)
        if size > MOST_BYTES:
            raise InvalidMessage(
                f"it is {size:,} bytes long, and {original.topic} takes at most {MOST_BYTES:,}: its rows have to be sent apart"
            )
        _same_event(original, self._ids(original, kept))
        return kept

    def _ids(self, original: Original, changed: Changed) -> list[str]:
        now = int(datetime.now(UTC).timestamp() * 1000)
        record = Record(original.topic, original.partition, 0, now, changed.key, changed.value, changed.headers)
        rows: pa.Table = self._rows.decode(record).rows if original.topic == self._requests else self._truths.decode(record)
        found: list[str] = rows.column("event_id").to_pylist()
        return found


def _same_event(original: Original, ids: list[str]) -> None:
    """The lake counts an event by its id, and whoever sent it asks for it by that."""
    row = original.row
    before = None if row is None else row.get("event_id")
    if isinstance(before, str) and _is_id(before) and ids != [before]:
        named = ", ".join(map(repr, ids[:3])) or "no row"
        raise InvalidMessage(f"its event id is {before[:80]!r}, and would be {named[:200]}: an event keeps its id")


def _size(name: str) -> int:
    try:
        return len(name.encode())
    except UnicodeEncodeError as exc:
        raise InvalidMessage(f"the name of its header {name!r} is no UTF-8, and cannot be sent from here") from exc


def _is_id(text: str) -> bool:
    try:
        check_id(text, "event_id")
    except InvalidMessage:
        return False
    return text != ""


def _not_ours(original: Original) -> str:
    if not original.topic:
        return "it does not say where it came from: something else than driftloop has written it to quarantine"
    if original.topic.endswith(".inferences"):
        return f"it came from {original.topic}, which the predictor alone writes: its requests are answered again from their own topic"
    named = f"it came from {original.topic}, which is not driftloop's to write"
    return f"{named}: send it there as you do (`driftloop quarantine get` has its bytes)"
