"""`driftloop backtest`: what the loop would have done with rows that are there already."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from driftloop.cli.errors import one_line_errors
from driftloop.cli.options import as_json_option, tell
from driftloop.cli.output import emit, table
from driftloop.contracts.class_probabilities import PROBABILITIES
from driftloop.local.paths import cache_dir, default_home
from driftloop.project.model import Project
from driftloop.project.policy_file import policy_text, with_policy
from driftloop.project.reading import read_project

if TYPE_CHECKING:
    from driftloop.backtest.loop import Step
    from driftloop.backtest.run import BacktestReport
    from driftloop.backtest.run import Progress as Told
    from driftloop.datafile.rows import Rows


@click.command()
@click.argument("project", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="Parquet, CSV or JSON lines; else [backtest] data, else the stream's lake.")
@click.option("--policy", "policies", type=click.Path(path_type=Path), multiple=True, help="TOML with other rules; several side by side.")
@click.option("--oracle", is_flag=True, help="Also the best timing in hindsight at as many promotions.")
@click.option("--windows", type=click.IntRange(min=3), default=None, help="So many windows of equally many labelled rows.")
@click.option("--picture", type=click.Path(path_type=Path), default=None, help="Write an SVG picture there.")
@as_json_option
@one_line_errors
def backtest(
    project: Path, data: Path | None, policies: tuple[Path, ...], oracle: bool, windows: int | None, picture: Path | None, as_json: bool
) -> None:
    """Run decisions, fits and gate of PROJECT, a folder, over a file or its stream's lake, in event time and without a broker."""
    of = read_project(project)
    if windows is not None:
        of = msgspec.structs.replace(of, backtest=msgspec.structs.replace(of.backtest, windows=windows))
    from driftloop.backtest import picture as pictures
    from driftloop.backtest.run import backtest as run

    rows = _rows(of, project, data)
    with _progress() as progress:
        report = run(_policies(of, policies), rows, cache_dir(default_home()) / "backtest", oracle=oracle, progress=progress)
    if picture is not None:
        picture.write_text(pictures.picture(report))
        tell(f"picture: {picture}")
    emit(report, as_json, lambda console: _show(console, report))


def _rows(of: Project, folder: Path, data: Path | None) -> "Rows":
    from driftloop.datafile.rows import Rows, read_rows

    if data is not None:
        return read_rows(data, of)
    if of.backtest.data is not None:
        return read_rows(folder / of.backtest.data, of)
    from driftloop.client import Client

    client, columns = Client(), ["event_id", "event_time", "entity", *of.schema.feature_names]
    if of.served_by != "elsewhere":
        return Rows(client.dataset(of.stream, columns=columns, labelled_only=True).to_arrow(), unlabelled=0)
    from driftloop.backtest.served import answered_by

    answer = ["prediction", "score", "model_version", *([PROBABILITIES] if of.schema.has_probabilities else [])]
    rows = client.dataset(of.stream, columns=[*columns, *answer], labelled_only=True).to_arrow()
    theirs = [version.version for version in client.model(of.model).versions if version.served_elsewhere]
    return Rows(rows.select([*columns, "label"]), unlabelled=0, served=answered_by(rows, theirs))


def _policies(of: Project, files: tuple[Path, ...]) -> list[tuple[str, Project]]:
    """The project's own rules where no file gives others."""
    if not files:
        return [("project", of)]
    found = []
    for path in files:
        under = with_policy(of, policy_text(path), str(path))
        found.append((path.stem, msgspec.structs.replace(under, backtest=of.backtest)))
    return found


@contextmanager
def _progress() -> "Iterator[Told]":
    """A bar on stderr for each thing that takes a while; where nobody sees a bar, a line for every tenth of it."""
    if not sys.stderr.isatty():
        yield _tell_tenths
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        tasks: dict[str, TaskID] = {}

        def told(doing: str, done: int, of: int) -> None:
            if doing not in tasks:
                tasks[doing] = shown.add_task(doing, total=of)
            shown.update(tasks[doing], completed=done, total=of)

        yield told


def _tell_tenths(doing: str, done: int, of: int) -> None:
    if done * 10 // of > (done - 1) * 10 // of:
        sys.stderr.write(f"{doing}: {done} of {of}\n")
        sys.stderr.flush()


def _show(console: Any, report: "BacktestReport") -> None:
    rows: list[tuple[Any, ...]] = [
        (
            policy.name,
            _figure(policy.mean_score),
            policy.retrainings,
            policy.promotions,
            policy.recalibrations,
            _figure(policy.regret),
        )
        for policy in report.policies
    ]
    columns = ("policy", f"mean {report.metric}", "retrainings", "promotions", "recalibrations", "regret")
    if report.served is not None:
        rows.insert(0, (report.served.name, _figure(report.served.mean_score), "–", "–", "–", "–"))
    title = f"{report.project}: {report.rows:,} labelled rows, {len(report.windows)} windows"
    console.print(table(title, columns, rows))
    for policy in report.policies:
        theirs = () if report.served is None else (report.served.name,)
        steps = [
            (step.window.start.isoformat()[:16], step.rows, *map(_figure, other), _answered_by(step), _figure(step.score), _then(step))
            for step, *other in zip(policy.steps, *([report.served.scores] if report.served else []), strict=True)
        ]
        console.print(table(policy.name, ("window from", "rows", *theirs, "answered by", report.metric, "then"), steps))


def _answered_by(step: "Step") -> str:
    return f"v{step.version} {step.recipe}{'' if step.recalibration is None else ', corrected'}"


def _then(step: "Step") -> str:
    said = step.gate or step.why
    return f"{said}; {step.recalibrating}" if step.recalibrated else said


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
