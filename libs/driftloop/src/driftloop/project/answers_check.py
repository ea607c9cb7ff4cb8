"""What ``[answers]`` may say."""

from collections.abc import Iterator
from datetime import timedelta

from driftloop.contracts.answers import Answers
from driftloop.contracts.schema import StreamSchema

LONGEST_JOIN = timedelta(hours=1)  # what waits for its other half is read again after a restart
MAX_DEPTH = 8


def problems(declared: Answers, schema: StreamSchema) -> Iterator[tuple[str, str]]:
    """Setting and what is wrong with it."""
    for setting in ("prediction", "score", "probabilities", "version", "event_id"):
        path = getattr(declared, setting)
        if path is not None and (not all(path.split(".")) or path.count(".") >= MAX_DEPTH):
            yield setting, f"{path!r} is no path: names with a dot between them, {MAX_DEPTH} at most, such as answer.score"
    if declared.probabilities is not None and not schema.has_probabilities:
        yield "probabilities", "only a target of several classes has probabilities by class"
    try:
        patience = declared.patience
    except (ValueError, OverflowError) as exc:
        yield "join_within", str(exc)
    else:
        if not timedelta(0) < patience <= LONGEST_JOIN:
            yield "join_within", f"{declared.join_within} is not more than nothing and at most {LONGEST_JOIN // timedelta(minutes=1)}m"
