"""The model card: what a version is, how good it is on keys that it never saw, and what it was compared with."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from driftloop.contracts.candidates import CandidateResult
from driftloop.contracts.recalibration import Recalibration, RecalibrationProposal
from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.values import GateMeasurements, Interval, TrainingPins
from driftloop.statistics.metrics import TaskMetric

_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", "|": "\\|", "[": "\\[", "`": "\\`"})


def render_card(
    *,
    model: str,
    schema: StreamSchema,
    request_id: str,
    pins: TrainingPins,
    recipe: str,
    start: datetime | None,
    end: datetime,
    rows: int,
    metric: TaskMetric,
    held_out_rows: int,
    held_out: Interval | None,
    candidates: Sequence[CandidateResult],
    measurements: GateMeasurements | None,
    notes: Sequence[str],
    members: Sequence[tuple[str, int]] = (),
    recalibrations: Sequence[RecalibrationProposal] = (),
) -> str:
    """Markdown; ``members`` of a mean, with the rows of each. Holds no wall time: the same training gives the same card."""
    lines = [f"# {model}", "", f"Predicts `{schema.target.name}` ({schema.target.task}) on the stream `{schema.stream}`.", ""]
    lines += ["## Quality", ""]
    lines.append(
        f"On {held_out_rows} rows whose split keys were never fitted (buckets 9,000 to 9,999): {metric.name} {_interval(held_out)}."
    )
    if not metric.metric.greater_is_better:
        lines.append(f"The lower {metric.name}, the better; a gain is what it fell by.")
    lines += ["", *_comparison(measurements), "", "## Candidates", "", f"| recipe | rows | {metric.name} |", "|---|---|---|"]
    for candidate in candidates:
        lines.append(
            f"| {candidate.recipe} | {candidate.rows} | {_text(candidate.error) if candidate.error else _number(candidate.metric)} |"
        )
    if not candidates:
        lines.append(f"| {recipe} | {rows} | not compared: the first version |")
    if recalibrations:
        lines += ["", "## Recalibration", "", *(_recalibration(proposal) for proposal in recalibrations)]
    span = f"from {start.isoformat()}" if start else "from the beginning"
    lines += ["", "## Training data", ""]
    lines.append(f"Recipe `{recipe}`: {rows} labelled rows, event time {span} up to {end.isoformat()} (exclusive).")
    if members:
        lines += ["", "The mean of what these say, each fitted by itself:", "", *(f"- `{name}`: {fitted} rows" for name, fitted in members)]
    lines += ["", "## Inputs", "", *(f"- `{feature.name}`: {feature.described}" for feature in schema.features)]
    lines += ["", "## Provenance", ""]
    lines += [f"- request `{request_id}`", f"- snapshot `{pins.snapshot}`", f"- project `{pins.project}`"]
    lines += [f"- environment `{pins.environment}`, driftloop {pins.code}, seed {pins.seed}, {pins.threads} threads"]
    if notes:
        lines += ["", "## Notes", "", *(f"- {_text(note)}" for note in notes)]
    return "\n".join(lines) + "\n"


def _comparison(measured: GateMeasurements | None) -> list[str]:
    if measured is None:
        return ["Not compared with a champion."]
    window = f"{measured.window.start.isoformat()} to {measured.window.end.isoformat()}"
    return [
        f"Its recipe on {measured.rows} labelled rows of the window {window}, fitted without them"
        f"{'' if measured.judged_on is msgspec.UNSET else f': those that version {measured.champion_version} was not fitted on either'}: "
        f"{_number(measured.candidate)} against {_number(measured.champion)} of version {measured.champion_version}; "
        f"gain {measured.gain:+.4f}, at least {measured.gain_lower:+.4f} with {measured.confidence:.0%} confidence."
        f"{_disagreement(measured)}"
    ]


def _recalibration(found: RecalibrationProposal) -> str:
    whose = "the champion" if found.of == "champion" else "this version"
    chosen = "none" if found.recalibration is None else f"{found.recalibration.strength:g} of it ({_correction(found.recalibration)})"
    seen = f"estimated on {found.rows} rows: {_correction(found.full)}; proposed: {chosen}"
    if found.gain is None or found.gain_lower is None:
        return f"- Of {whose}'s answers, {seen}."
    gained = f"gained {found.gain:+.4f} {found.metric}, at least {found.gain_lower:+.4f}, on {found.judged_rows} rows"
    return f"- Of {whose}'s answers, {seen}. What the run before had estimated {gained}."


def _correction(by: Recalibration) -> str:
    if by.shift is not msgspec.UNSET:
        return f"shift {by.shift:+.6g}"
    if by.weights is not msgspec.UNSET and by.classes is not msgspec.UNSET:
        return ", ".join(f"{_text(name)} × {weight:.3g}" for name, weight in zip(by.classes, by.weights, strict=True))
    return f"logit × {by.slope:.4g} {by.intercept:+.4g}"


def _disagreement(measured: GateMeasurements) -> str:
    if measured.churn is msgspec.UNSET:
        return ""
    return f" They disagree on {measured.churn:.1%} of these rows."


def _interval(value: Interval | None) -> str:
    return "not defined" if value is None else f"{value.value:.4f} (90 % interval {value.lower:.4f} to {value.upper:.4f})"


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.4f}"


def _text(words: str) -> str:
    """On one line, and nothing but text to whatever shows the card: an exception of the project's code may say anything."""
    line = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    return line.translate(_MARKUP)
