"""`driftloop performance`: how a model does on new data, window by window."""

from collections.abc import Sequence
from typing import Any

import click
import msgspec
from rich.console import Console

from driftloop.cli.errors import one_line_errors
from driftloop.cli.options import tell
from driftloop.cli.output import emit, table
from driftloop.cli.plot import Mark, marks
from driftloop.client import Client
from driftloop.contracts.challengers import ChallengerReport
from driftloop.contracts.events import PerformanceReported
from driftloop.history.told import Told

TIME = "%Y-%m-%d %H:%M"
UNLABELLED = 1.0  # above this coverage nothing is left to be estimated


@click.command()
@click.argument("model")
@click.option("--last", type=click.IntRange(min=1), default=None, help="Only so many reports, those that came last.")
@click.option("--json", "as_json", is_flag=True, help="Print every report of the windows as JSON, those of single versions included.")
@one_line_errors
def performance(model: str, last: int | None, as_json: bool) -> None:
    """MODEL's metric on each window, with its interval and how many rows have their label; ~ is an estimate, no measurement."""
    client = Client()
    told = client.performance(model, last=last, say=tell)
    if not told:
        client.model(model)  # or there is none of that name
        tell(f"no window of {model} has been measured yet: one is, when it has closed and labels have landed")
    found = [{"id": one.about.id, "time": one.about.time.isoformat(), **msgspec.to_builtins(one.event)} for one in told]
    emit(found, as_json, lambda console: _show(console, model, told))


def _show(console: Console, model: str, told: "Sequence[Told[PerformanceReported]]") -> None:
    windows = by_window([one.event for one in told])
    if not windows:
        return
    metric = windows[-1][0].metric
    columns = ("window from", "rows", "labelled", metric, "interval", "delay", "scored by", "the window is")
    console.print(table(f"Performance of {model}", columns, [_row(whole, parts) for whole, parts in windows]))
    beside = [(whole, each) for whole, _ in windows for each in whole.challengers or ()]
    if beside:
        names = ("window from", "challenger", "rows", "answers otherwise", "labelled", "champion's", "its", "gain", "interval of the gain")
        console.print(table(f"Challengers of {model}", names, [_challenger_row(whole, each) for whole, each in beside]))
    drawn = marks([_mark(whole, parts) for whole, parts in windows])
    if drawn:
        console.print(f"{metric}: o measured, - its interval, ~ estimated", markup=False, highlight=False)
        for line in drawn:
            console.print(line, markup=False, highlight=False, soft_wrap=True)


Versions = list[PerformanceReported]


def by_window(reports: Sequence[PerformanceReported]) -> list[tuple[PerformanceReported, Versions]]:
    """The report on all versions together of each window, by time, with those of its versions."""
    whole = {report.window: report for report in reports if report.version is None}
    parts: dict[Any, Versions] = {window: [] for window in whole}
    for report in reports:
        if report.version is not None and report.window in parts:
            parts[report.window].append(report)
    return [(whole[window], parts[window]) for window in sorted(whole, key=lambda w: (w.start, w.end))]


def estimated(whole: PerformanceReported, parts: Versions) -> float | None:
    """Of the version that scored most rows, while labels are missing."""
    if whole.coverage >= UNLABELLED:
        return None
    known = [(part.rows, part.estimate.value) for part in parts if part.estimate is not msgspec.UNSET]
    return max(known)[1] if known else None


def _row(whole: PerformanceReported, parts: Versions) -> tuple[str | None, ...]:
    measured, guess = whole.measured, estimated(whole, parts)
    figure = f"{measured.value:.4f}" if measured else None if guess is None else f"~{guess:.4f}"
    answers = [part.answer.answer for part in parts if part.answer is not msgspec.UNSET]
    return (
        f"{whole.window.start:{TIME}}",
        f"{whole.rows:,}",
        f"{100 * whole.coverage:.0f} %",
        figure,
        f"{measured.lower:.4f} … {measured.upper:.4f}" if measured else None,
        _delay(whole.median_label_delay_seconds),
        ", ".join(f"v{part.version}" for part in parts) or None,
        ", ".join(answers) or None,
    )


def _challenger_row(whole: PerformanceReported, each: ChallengerReport) -> tuple[str | None, ...]:
    found = each.measured
    return (
        f"{whole.window.start:{TIME}}",
        f"v{each.version} beside v{each.champion}",
        f"{each.rows:,}",
        None if each.disagreement is None else f"{100 * each.disagreement:.1f} %",
        f"{each.labelled:,}",
        f"{found.champion:.4f}" if found else None,
        f"{found.challenger:.4f}" if found else None,
        f"{found.gain:+.4f}" if found else None,
        f"{found.lower:+.4f} … {found.upper:+.4f}" if found else None,
    )


def _mark(whole: PerformanceReported, parts: Versions) -> Mark:
    label, measured = f"{whole.window.start:{TIME}}", whole.measured
    if measured is not None:
        return Mark(label, measured.value, measured.lower, measured.upper, note=f"{measured.value:.3f}")
    guess = estimated(whole, parts)
    return Mark(label, guess, sign="~", note="not measured" if guess is None else f"~{guess:.3f}")


def _delay(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"
