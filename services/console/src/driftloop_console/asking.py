"""Questions that read the store: each is answered by a process of its own, so that the console stays as small as its record.

A lake's rows and the libraries that read them take hundreds of MiB; a process that has ended takes none.
"""

import subprocess
import sys
import threading
from typing import Any

import msgspec

from driftloop.contracts.typed import prepared
from driftloop.errors import TransientError, UserError
from driftloop_console.data_questions import DataQuestion

ANSWER_SECONDS = 50.0  # less than HTTP gives a call
AT_ONCE = 2  # questions in hand; a further one is told to come again


class Trace(msgspec.Struct, frozen=True, tag=True):
    """A prediction back to bytes."""

    event: str
    time: str | None = None
    stream: str | None = None


class Distribution(msgspec.Struct, frozen=True, tag=True):
    """A column's values in a window, times in milliseconds since 1970, beside those in a version's training."""

    model: str
    version: int
    stream: str
    feature: str
    start: int
    end: int


class Rules(msgspec.Struct, frozen=True, tag=True):
    """When a project trains again: the policy in its archive."""

    project: str
    archive: str


class Explain(msgspec.Struct, frozen=True, tag=True):
    """What each input of a prediction's row has added to its score, by the version that scored it."""

    event: str
    time: str | None = None
    stream: str | None = None


class Made(msgspec.Struct, frozen=True, tag=True):
    """What a version is made of: its card, its environment, what each input is worth, the project's files. ``archive``: of the project
    that it was trained with; None: it is served elsewhere, or nobody knows."""

    model: str
    manifest: str
    project: str | None
    archive: str | None


class Differ(msgspec.Struct, frozen=True, tag=True):
    """What differs between two versions in that."""

    a: Made
    b: Made


Question = Trace | Distribution | Rules | Explain | Made | Differ | DataQuestion


class Answer(msgspec.Struct, frozen=True):
    """``found``, or why nothing was: ``wrong`` is what the question cannot have, ``later`` what may be there later."""

    found: dict[str, Any] | None = None
    wrong: str | None = None
    later: str | None = None


class Questions:
    """Callable from any thread. Raises UserError for what is not there, TransientError for what may be later."""

    def __init__(self, seconds: float = ANSWER_SECONDS) -> None:
        self._seconds = seconds
        self._free = threading.BoundedSemaphore(AT_ONCE)

    def __call__(self, question: Question) -> dict[str, Any]:
        if not self._free.acquire(blocking=False):
            raise TransientError(f"{AT_ONCE} questions to the store are being answered: ask again in a moment")
        try:
            done = subprocess.run(
                [sys.executable, "-m", "driftloop_console.answers"],
                input=msgspec.json.encode(question),
                capture_output=True,
                timeout=self._seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise TransientError(f"no answer within {self._seconds:g} s: narrow the question, or ask on the command line") from None
        finally:
            self._free.release()
        return _found(done)


def _found(done: "subprocess.CompletedProcess[bytes]") -> dict[str, Any]:
    try:
        answer = msgspec.json.decode(done.stdout, type=prepared(Answer))
    except msgspec.MsgspecError:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise TransientError(f"the question was not answered (exit code {done.returncode}): {last[:300]}") from None
    if answer.found is None:
        raise UserError(answer.wrong) if answer.wrong is not None else TransientError(answer.later or "no answer")
    return answer.found
