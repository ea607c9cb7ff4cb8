"""`driftloop drift`: how far each window has moved from what its model was trained on, and in which columns."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import msgspec
from rich.console import Console

from driftloop.cli.distribution import show_distribution
from driftloop.cli.errors import one_line_errors
from driftloop.cli.options import tell
from driftloop.cli.output import emit, table
from driftloop.cli.plot import beside_a_limit
from driftloop.client import Client
from driftloop.client.arguments import time_of
from driftloop.contracts.events import DriftReported
from driftloop.contracts.values import FeatureDrift
from driftloop.errors import UserError

if TYPE_CHECKING:
    from driftloop.client.distributions import Distribution

TIME = "%Y-%m-%d %H:%M"
SHOWN_COLUMNS = 3
SCORE = "$score"


@click.command()
@click.argument("model")
@click.argument("feature", required=False)
@click.option("--window", "start", metavar="TIME", default=None, help="Of FEATURE, the window that begins then; else the newest.")
@click.option("--last", type=click.IntRange(min=1), default=None, help="Only so many reports, those that came last.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@one_line_errors
def drift(model: str, feature: str | None, start: str | None, last: int | None, as_json: bool) -> None:
    """Every window of MODEL: its distance from the training data, the threshold, the verdict, and the columns that moved most.

    With FEATURE (a part of a time is placed.hour, the score is $score): that column alone, and its values in one window beside those in
    training.
    """
    if start is not None and feature is None:
        raise UserError("--window is about one feature: name it, as in `driftloop drift MODEL FEATURE --window TIME`")
    client = Client()
    told = client.drift(model, last=last, say=tell)
    if not told:
        client.model(model)  # or there is none of that name
        tell(f"no window of {model} has closed yet")
    if feature is None:
        found = [{"id": one.about.id, "time": one.about.time.isoformat(), **msgspec.to_builtins(one.event)} for one in told]
        emit(found, as_json, lambda console: _show(console, model, [one.event for one in told]))
        return
    reports = [one.event for one in told if of_column(one.event, feature) is not None]
    distribution = client.distribution(model, feature, window=None if start is None else time_of(start))
    data = {"windows": [_feature_data(report, feature) for report in reports], "distribution": msgspec.to_builtins(distribution)}
    emit(data, as_json, lambda console: _show_feature(console, reports, distribution))


def of_column(report: DriftReported, name: str) -> FeatureDrift | None:
    return report.score if name == SCORE else report.features.get(name)


def _show(console: Console, model: str, reports: Sequence[DriftReported]) -> None:
    if not reports:
        return
    columns = ("window from", "version", "rows", "distance", "threshold", "ratio", "verdict", "moved most")
    console.print(table(f"Drift of {model}", columns, map(_row, reports)))
    for because in dict.fromkeys(report.because for report in reports if report.because):
        console.print(f"uncalibrated: {because}", markup=False, highlight=False, soft_wrap=True)
    measures = [(report, measured(report)) for report in reports]
    _plot(console, [(report, distance, ratio) for report, (distance, _, ratio) in measures])


def measured(report: DriftReported) -> tuple[float | None, float | None, float | None]:
    """The largest distance of the columns that are judged, its threshold, and how many times the threshold it is."""
    from driftloop.monitoring.drift import worst  # numpy

    found = worst(report)
    if found is None:
        return None, report.threshold, None
    return found.value, found.threshold, found.value / found.threshold if found.threshold else None


def _row(report: DriftReported) -> tuple[str | None, ...]:
    distance, threshold, ratio = measured(report)
    return (
        f"{report.window.start:{TIME}}",
        None if report.version is None else f"v{report.version}",
        f"{report.rows:,}",
        _figure(distance),
        _figure(threshold),
        None if ratio is None else f"{ratio:.2f}",
        verdict(report),
        moved_most(report),
    )


def verdict(report: DriftReported) -> str:
    if report.version is None:
        return "not scored"
    if report.profile is None:
        return "nothing to compare with"
    return report.verdict or ("drifted" if report.drifted else "calm")


def moved_most(report: DriftReported) -> str | None:
    """The columns by how far they have moved; a * at those that have drifted."""
    from driftloop.monitoring.drift import moved  # numpy

    columns = dict(report.features) | ({} if report.score is None else {SCORE: report.score})
    names = sorted(columns, key=lambda name: (-columns[name].drifted, -moved(columns[name])))[:SHOWN_COLUMNS]
    return ", ".join(f"{name}{'*' if columns[name].drifted else ''} {moved(columns[name]):.3f}" for name in names) or None


def _feature_data(report: DriftReported, name: str) -> dict[str, object]:
    found = of_column(report, name)
    return {"window": msgspec.to_builtins(report.window), "version": report.version, "rows": report.rows, **msgspec.to_builtins(found)}


def _show_feature(console: Console, reports: Sequence[DriftReported], distribution: "Distribution") -> None:
    from driftloop.monitoring.drift import moved  # numpy

    rows = []
    ratios: list[tuple[DriftReported, float | None, float | None]] = []
    for report in reports:
        found = of_column(report, distribution.feature)
        assert found is not None
        distance, threshold = moved(found), report.threshold
        ratios.append((report, distance, distance / threshold if threshold else None))
        missing = f"{100 * found.missing_share:.1f} %"
        drifted = "drifted" if found.drifted else "uncalibrated" if report.verdict == "uncalibrated" else "calm"
        rows.append(
            (
                f"{report.window.start:{TIME}}",
                f"v{report.version}",
                f"{report.rows:,}",
                _figure(distance),
                _figure(threshold),
                missing,
                drifted,
            )
        )
    columns = ("window from", "version", "rows", "distance", "threshold", "missing", "verdict")
    console.print(table(f"{distribution.feature} of {distribution.model}", columns, rows))
    _plot(console, ratios)
    show_distribution(console, distribution)


def _plot(console: Console, ratios: Sequence[tuple[DriftReported, float | None, float | None]]) -> None:
    """``ratios``: with the distance, and how many times the threshold it is."""
    console.print("distance: # as far, | the threshold, > further than the plot", markup=False, highlight=False)
    for report, distance, ratio in ratios:
        bar = beside_a_limit(ratio) if ratio is not None else "not compared" if distance is None else f"{distance:.3f}, no threshold"
        console.print(f"{report.window.start:{TIME}} {bar}", markup=False, highlight=False, soft_wrap=True)


def _figure(value: float | None) -> str | None:
    return None if value is None else f"{value:.4f}"
