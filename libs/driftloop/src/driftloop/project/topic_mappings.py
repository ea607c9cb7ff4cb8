"""``[stream.requests]`` and ``[stream.labels]``: topics that are not ours, as mappings, or what among them cannot be."""

import math
import re

from driftloop.contracts import topics
from driftloop.contracts.column_types import COLUMN_TYPES
from driftloop.contracts.existing_topics import COORDINATES, WORDS, Source, TopicMapping
from driftloop.project.tables import FeatureTable, LabelsTable, ProjectFile, RequestsTable

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_OF_A_MAPPING = ("path", "scale", "offset", "time_format")  # settings of a feature


class WrongMapping(Exception):
    """``key``: of the line that says so."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key, self.message = key, message


def requests(file: ProjectFile) -> TopicMapping | None:
    """None where the requests are on the stream's own topic. Raises WrongMapping."""
    table = file.stream.requests
    if table is None:
        for name, declared in file.features.items():
            wrong = [word for word in _OF_A_MAPPING if isinstance(declared, FeatureTable) and getattr(declared, word) is not None]
            if wrong:
                say = "there is no [stream.requests] with a topic, whose records it could be about"
                raise WrongMapping(f"features.{name}", f"{wrong[0]} of {name!r}: {say}")
        return None
    columns = _columns("stream.requests", table, ("event_id", "event_time", "entity"))
    for name, declared in file.features.items():
        columns[name] = _feature(name, declared if isinstance(declared, FeatureTable) else FeatureTable(type=declared))
    return _mapping("stream.requests", table, columns, file.stream.name)


def labels(file: ProjectFile) -> TopicMapping | None:
    """None where the labels are on the stream's own topic. Raises WrongMapping."""
    table = file.stream.labels
    if table is None:
        return None
    columns = _columns("stream.labels", table, ("event_id", "event_time", "label", "label_time"))
    if file.stream.requests is not None and file.stream.requests.topic == table.topic:
        raise WrongMapping("stream.labels.topic", f"{table.topic} holds the requests already: a record is a request or a label")
    return _mapping("stream.labels", table, columns, file.stream.name)


def _mapping(key: str, table: RequestsTable | LabelsTable, columns: dict[str, Source], stream: str) -> TopicMapping:
    if not _TOPIC.fullmatch(table.topic) or table.topic in (".", ".."):
        raise WrongMapping(f"{key}.topic", f"{table.topic!r} is no topic's name: letters, digits, dots, underscores and hyphens")
    ours = {topic.name for topic in (*topics.stream_topics(stream), *topics.CONTROL_TOPICS)} - {_own(key, stream)}
    if table.topic in ours:
        raise WrongMapping(f"{key}.topic", f"{table.topic} is a topic that driftloop itself writes")
    return TopicMapping(topic=table.topic, format=table.format, columns=columns)


def _own(key: str, stream: str) -> str:
    return topics.requests(stream) if key == "stream.requests" else topics.labels(stream)


def _columns(key: str, table: RequestsTable | LabelsTable, names: tuple[str, ...]) -> dict[str, Source]:
    found = {}
    for name in names:
        path = getattr(table, name)
        if path is not None:
            _check_path(f"{key}.{name}", path, words=name != "label")
            if path == COORDINATES and name != "event_id":
                raise WrongMapping(f"{key}.{name}", f"{COORDINATES} names one record: it can be an event_id, and nothing else")
            found[name] = Source(path=path, time_format=table.time_format if name in ("event_time", "label_time") else None)
    return found


def _feature(name: str, declared: FeatureTable) -> Source:
    key, known = f"features.{name}", COLUMN_TYPES[declared.type]
    path = name if declared.path is None else declared.path
    _check_path(key, path, words=False)
    scale, offset = 1.0 if declared.scale is None else declared.scale, declared.offset or 0.0
    if (declared.scale is not None or declared.offset is not None) and declared.type != "number":
        raise WrongMapping(key, f"scale and offset of {name!r}: it is {known.words}, and they make another number of a number")
    if not math.isfinite(scale) or not math.isfinite(offset) or scale == 0:
        raise WrongMapping(key, f"scale and offset of {name!r} must be finite numbers, and a scale of 0 leaves nothing of what was sent")
    if declared.time_format is not None and declared.type != "datetime":
        raise WrongMapping(key, f"time_format of {name!r}: it is {known.words}, which is no time")
    return Source(path=path, time_format=declared.time_format, scale=scale, offset=offset)


def _check_path(key: str, path: str, *, words: bool) -> None:
    if path.startswith("@"):
        if not words or path not in WORDS:
            known = f"; the words are {', '.join(WORDS)}" if words else ", and no word may stand here"
            raise WrongMapping(key, f"{path!r} is no path{known}")
    elif not all(path.split(".")):
        raise WrongMapping(key, f"{path!r} is no path: names of fields, divided by dots, such as order.id")
