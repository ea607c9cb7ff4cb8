"""Answers to ``data_questions``, in a process of their own. Bytes become text, or hexadecimal digits: what a stranger sent is shown, and is
never anything else."""

from collections import Counter
from typing import Any

import msgspec

from driftloop.client.arguments import checked_name
from driftloop.client.connections import Connections
from driftloop.client.redrive_outcome import Redriven
from driftloop.client.redriving import Asked, preview, redriven
from driftloop.client.rejected_messages import RejectedMessage, rejected_message, rejected_messages
from driftloop.client.verification import diff
from driftloop.errors import UserError
from driftloop.redrive.changes import AsItWas, set_fields
from driftloop.redrive.selection import Selection, selection
from driftloop_console.data_questions import DataDiff, DataQuestion, Redriving, RejectedMessages, RejectedOne

REASONS = 50  # with the most messages
SHOWN_BYTES = 4_000  # of one message
SHOWN_MESSAGES = 50
MOST = 1_000  # messages that one form sends again: it has to be answered while somebody waits


def data_answer(question: DataQuestion, to: Connections) -> dict[str, Any]:
    """Raises what the client raises."""
    match question:
        case DataDiff():
            told: dict[str, Any] = msgspec.to_builtins(diff(to, question.a, question.b))
            return told
        case RejectedMessages():
            return _messages(rejected_messages(to, question.stream), question)
        case RejectedOne():
            return _one(question, to)
        case Redriving():
            return _redriving(question, to)


def shown(data: bytes | None) -> dict[str, Any]:
    """``text`` of it where it is UTF-8, else ``hex``; ``cut``: there is more."""
    if data is None:
        return {"bytes": None, "text": None, "hex": None, "cut": False}
    part = data[:SHOWN_BYTES]
    text: str | None = None
    try:
        text = part.decode("utf-8")
    except UnicodeDecodeError as exc:
        if len(data) > len(part) and exc.start > len(part) - 4:  # the cut goes through a letter
            text = part[: exc.start].decode("utf-8")
    return {"bytes": len(data), "text": text, "hex": None if text is not None else part[:512].hex(" "), "cut": len(data) > SHOWN_BYTES}


def _messages(found: list[RejectedMessage], asked: RejectedMessages) -> dict[str, Any]:
    reasons = Counter(one.reason for one in found)
    by_reason: dict[str, list[RejectedMessage]] = {reason: [] for reason, _ in reasons.most_common(REASONS)}
    for one in found:
        if one.reason in by_reason:
            by_reason[one.reason].append(one)
    some = [one for one in found if asked.reason is None or one.reason == asked.reason]
    newest = sorted(some, key=lambda one: (one.rejected_at, one.id), reverse=True)
    part = newest[asked.skip : asked.skip + asked.most]
    return {
        "count": len(some),
        "all": len(found),
        "waiting": sum(not one.redriven for one in found),
        "reasons": [_reason(reason, messages) for reason, messages in by_reason.items()],
        "more_reasons": max(0, len(reasons) - REASONS),
        "messages": [msgspec.to_builtins(one) for one in part],
        "skipped": asked.skip,
        "more": asked.skip + len(part) if asked.skip + len(part) < len(some) else None,
    }


def _reason(reason: str, messages: list[RejectedMessage]) -> dict[str, Any]:
    times = [one.rejected_at for one in messages]
    return {
        "reason": reason,
        "topics": sorted({one.topic for one in messages}),
        "messages": len(messages),
        "sent_again": sum(bool(one.redriven) for one in messages),
        "first": min(times),
        "last": max(times),
    }


def _one(question: RejectedOne, to: Connections) -> dict[str, Any]:
    found = rejected_message(to, question.id, question.stream)
    about: dict[str, Any] = msgspec.to_builtins(msgspec.structs.asdict(found) | {"value": None, "key": None, "headers": ()})
    headers = [{"name": header.name.encode("utf-8", "replace").decode(), "value": shown(header.value)} for header in found.headers]
    return about | {"value": shown(found.value), "key": shown(found.key), "headers": headers}


def _redriving(question: Redriving, to: Connections) -> dict[str, Any]:
    change = set_fields(question.fields) if question.fields else AsItWas()
    asked = Asked(checked_name(question.stream, "stream name"), _selection(question), change, again=question.again)
    found = preview(to, asked, _nobody)
    if question.send:
        if found.chosen > MOST:
            raise UserError(
                f"these are {found.chosen:,} messages, and a form sends at most {MOST:,}: `driftloop quarantine redrive` sends any number"
            )
        found = redriven(to, asked, why=question.why, by=question.by, on_progress=lambda _: None, say=_nobody)
    return _told(found)


def _selection(question: Redriving) -> Selection:
    if question.ids:
        return selection(question.ids, everything=False, reason=None)
    if question.reason is None:
        raise UserError("which messages? Choose some on the page of quarantine, or all of one reason")
    return selection((), everything=False, reason=question.reason)


def _told(found: Redriven) -> dict[str, Any]:
    counts = {name: getattr(found, name) for name in ("run", "change", "chosen", "sent", "refused", "before", "left_out", "recovered")}
    messages = [
        {
            "id": one.id,
            "topic": one.topic,
            "partition": one.partition,
            "offset": one.offset,
            "reason": one.reason,
            "verdict": one.verdict,
            "why": one.why,
            "before": shown(one.before),
            "after": shown(one.after),
            "changed": one.after != one.before,
            "sent": msgspec.to_builtins(one.sent),
        }
        for one in found.messages[:SHOWN_MESSAGES]
    ]
    return counts | {"messages": messages, "unshown": max(0, found.chosen - len(messages))}


def _nobody(_: str) -> None:
    """What was passed over is in the log of whoever asks on the command line."""
