"""What ``[answers]`` may say."""

import itertools
from collections.abc import Iterator
from datetime import timedelta

from driftloop.contracts.answers import Answers
from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.topics import stream_topics

LONGEST_JOIN = timedelta(hours=1)  # what waits for its other half is read again after a restart
MAX_DEPTH = 8


def problems(declared: Answers, schema: StreamSchema) -> Iterator[tuple[str, str]]:
    """Setting and what is wrong with it."""
    for setting in ("prediction", "score", "probabilities", "version", "event_id"):
        path = getattr(declared, setting)
        if path is not None and (not all(path.split(".")) or path.count(".") >= MAX_DEPTH):
            yield setting, f"{path!r} is no path: names with a dot between them, {MAX_DEPTH} at most, such as answer.score"
    yield from _in_each_others_way(declared, schema)
    if declared.probabilities is not None and not schema.has_probabilities:
        yield "probabilities", "only a target of several classes has probabilities by class"
    if declared.topic is not None and declared.topic in {topic.name for topic in stream_topics(schema.stream)}:
        yield "topic", f"{declared.topic!r} is the stream's own; answers that are in the requests need no topic"
    try:
        patience = declared.patience
    except (ValueError, OverflowError) as exc:
        yield "join_within", str(exc)
    else:
        if not timedelta(0) < patience <= LONGEST_JOIN:
            yield "join_within", f"{declared.join_within} is not more than nothing and at most {LONGEST_JOIN // timedelta(minutes=1)}m"


def _in_each_others_way(declared: Answers, schema: StreamSchema) -> Iterator[tuple[str, str]]:
    """Two values cannot be at one place, but for a number that is prediction and score; nor one within another."""
    settings = ["prediction", "score", "probabilities", "version", *(["event_id"] if declared.topic is not None else [])]
    paths = {setting: path for setting in settings if (path := getattr(declared, setting)) is not None}
    for (one, its), (other, others) in itertools.combinations(paths.items(), 2):
        same = its == others and not (schema.target.task == "regression" and (one, other) == ("prediction", "score"))
        if same or f"{its}.".startswith(f"{others}.") != f"{others}.".startswith(f"{its}."):
            yield one, f"{its!r} and {other}, {others!r}, are at one place"
