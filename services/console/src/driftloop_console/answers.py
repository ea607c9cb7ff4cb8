"""``python -m driftloop_console.answers``: one question on standard input, its answer on standard output, as JSON."""

import sys
from typing import Any

import msgspec

from driftloop.client.connections import Connections
from driftloop.client.distribution_slots import slots
from driftloop.client.distributions import distribution_of
from driftloop.client.tracing import trace
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Window
from driftloop.errors import ConfigurationError, IntegrityError, ObjectNotFound, TransientError, UserError
from driftloop.installation import Installation, without_services
from driftloop.lineage.trace import Trace as Traced
from driftloop.project.archives import project_in
from driftloop_console.asking import Answer, Differ, Distribution, Explain, Made, Question, Rules, Trace
from driftloop_console.columns import moment
from driftloop_console.data_answers import data_answer
from driftloop_console.settings import ConsoleSettings, console_settings

LINES = 24  # of a histogram


def main() -> None:
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=prepared(Question))
    sys.stdout.buffer.write(msgspec.json.encode(answered(question, _installation(console_settings()))))


def answered(question: Question, installation: Installation) -> Answer:
    try:
        return Answer(found=_found(question, installation))
    except (UserError, ObjectNotFound, IntegrityError) as exc:
        return Answer(wrong=str(exc))
    except (TransientError, ConfigurationError) as exc:
        return Answer(later=str(exc))


def _found(question: Question, installation: Installation) -> dict[str, Any]:
    match question:
        case Trace():
            return _trace(question, installation)
        case Distribution():
            return _distribution(question, installation)
        case Rules():
            return _rules(question, installation)
        case Explain():
            from driftloop_console.explained import explained  # scikit-learn: only for those who ask for it

            return explained(question, Connections(installation.s3, installation))
        case Made():
            from driftloop_console.made import made

            return made(question, Connections(installation.s3, installation).store)
        case Differ():
            from driftloop_console.made import differ

            return differ(question, Connections(installation.s3, installation).store)
        case _:
            return data_answer(question, Connections(installation.s3, installation))


def _installation(settings: ConsoleSettings) -> Installation:
    return without_services(settings.common.state_dir, settings.common.kafka, settings.common.s3, settings.registry_url)


def _trace(question: Trace, installation: Installation) -> dict[str, Any]:
    to = Connections(installation.s3, installation)
    found: Traced = trace(to, question.event, stream=question.stream, time=question.time, every_file=False, say=lambda _: None)
    told: dict[str, Any] = msgspec.to_builtins(found)
    return told


def _distribution(of: Distribution, installation: Installation) -> dict[str, Any]:
    to, window = Connections(installation.s3, installation), Window(start=moment(of.start), end=moment(of.end))
    found = distribution_of(to, of.model, of.version, of.stream, window, of.feature)
    lines = slots(found.column, found.column.counts, found.counts, LINES)
    return {
        "reference_rows": sum(found.column.counts),
        "current_rows": sum(found.counts),
        "slots": [{"label": slot.label, "reference": slot.reference, "current": slot.current} for slot in lines],
    }


def _rules(of: Rules, installation: Installation) -> dict[str, Any]:
    store = Connections(installation.s3, installation).store
    told: dict[str, Any] = msgspec.to_builtins(project_in(store, of.project, of.archive).policy)
    return told


if __name__ == "__main__":
    main()
