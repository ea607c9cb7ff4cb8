"""What an event says, as a sentence for a person. Pure; names and reasons in it are whatever somebody wrote: text, never markup."""

from datetime import datetime

import msgspec
from msgspec import UNSET

from driftloop.contracts.events import (
    ChallengerMeasured,
    DecisionMade,
    IncidentReported,
    RetrainRequested,
    TrainingCompleted,
    TrainingFailed,
    VersionReproduced,
)
from driftloop.contracts.values import Window
from driftloop.registry.records import LogEntry

NAMED = 3  # columns of an incident
MAX_SENTENCE = 600  # characters
# what the journal tells of
Journalled = (
    ChallengerMeasured | DecisionMade | IncidentReported | RetrainRequested | TrainingCompleted | TrainingFailed | VersionReproduced
)


def told_in_words(event: Journalled) -> str:
    match event:
        case IncidentReported():
            return _short(_incident(event))
        case DecisionMade():
            return _short(_decision(event))
        case RetrainRequested():
            return _short(f"{event.requested_by} asked for a new version ({event.reason}): {event.detail or 'without a word on why'}")
        case TrainingCompleted():
            seconds = f"{event.seconds:.0f} s" if event.seconds < 600 else f"{event.seconds / 60:.0f} min"
            return _short(f"a run finished in {seconds}: recipe {event.recipe} on {event.rows:,} rows")
        case TrainingFailed():
            return _short(f"a run failed: {event.reason}{f' ({event.detail})' if event.detail else ''}")
        case ChallengerMeasured():
            of = event.measurements
            both = f"{of.metric} {number(of.candidate)} beside {number(of.champion)} of version {of.champion_version}"
            return _short(f"the challenger, version {event.version}, came to {both}, on {of.rows:,} rows of {window_in_words(of.window)}")
        case VersionReproduced():
            how = f"the same {event.level}" if event.level != "none" else f"nothing the same: {event.reason or 'it says no reason'}"
            return _short(f"an audit rebuilt version {event.version}: {how}")


def log_entry_in_words(entry: LogEntry) -> str:
    """A record of the registry's log that a person has caused, or that has moved an alias."""
    answer = entry.outcome
    if entry.moved is not None:
        what = f"{entry.moved.name} is now version {entry.moved.version}"
    elif answer.accepted or entry.canary is not UNSET:
        what = answer.reason or _kind(entry.type)
    else:
        what = f"{_kind(entry.type)}: {'waits for a person' if answer.waiting else 'refused'}, {answer.reason}"
    return _short(f"{entry.actor}: {what} – {entry.reason}" if entry.reason else f"{entry.actor}: {what}")


def window_in_words(window: Window) -> str:
    return f"{_minute(window.start)} – {_minute(window.end)}"


def _incident(event: IncidentReported) -> str:
    names = sorted(event.columns, key=lambda name: -event.columns[name])
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    what = f"{', '.join(names[:NAMED]) or 'the score'}{more}"
    windows = f"{event.windows} windows" if event.windows != 1 else "one window"
    since = f"since {_minute(event.start)}" if event.state != "closed" else f"from {_minute(event.start)} to {_minute(event.end)}"
    of = "" if event.version is None else f" of version {event.version}"
    return f"{what} drifted from the training data{of} {since}, in {windows}, by {event.severity:.2f} of 1 at most"


def _decision(event: DecisionMade) -> str:
    yes = event.accepted
    of = f" after {window_in_words(event.window)}" if event.window is not None else ""
    match event.kind:
        case "retrain":
            return f"{'train again' if yes else 'do not train again'}{of}: {event.reason}"
        case "promote":
            version = event.evidence.get("version")
            which = f"version {version}" if isinstance(version, int) else "the new version"
            return f"{which} {'becomes champion' if yes else 'does not become champion'}: {event.reason}"
        case "recalibrate":
            return f"{'correct' if yes else 'do not correct'} the champion’s answers: {event.reason}"


def _kind(type_name: str) -> str:
    """``driftloop.move-alias.v1`` as ``move alias``."""
    return type_name.removeprefix("driftloop.").rpartition(".")[0].replace("-", " ") or type_name


def _minute(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M")


def _short(text: str) -> str:
    return text if len(text) <= MAX_SENTENCE else f"{text[: MAX_SENTENCE - 1]}…"


def number(value: float | msgspec.UnsetType | None) -> str:
    """Of a metric or a distance, as pages and sentences write it."""
    return "–" if value is None or value is msgspec.UNSET or value != value else f"{value:.4g}"
