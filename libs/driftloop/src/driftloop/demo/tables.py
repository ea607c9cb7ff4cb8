"""The report as a person reads it."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from driftloop.demo.lead_time import VersionStory
from driftloop.demo.report import DemoReport, WindowReport
from driftloop.statistics.metrics import find

LEFT = frozenset({"#", "from", "data", "", "drift", "champion"})
# what a person sees as one stage, and the moments that end its parts
STAGES = {
    "decide": ("decided", "requested"),
    "start": ("started",),
    "train": ("completed",),
    "promote": ("registered", "promoted"),
    "use": ("first_prediction",),
}


def show(report: DemoReport, console: Console) -> None:
    """Windows, versions, conservation, checks."""
    console.print(_windows_table(report))
    console.print(_versions_table(report.versions))
    account = report.conservation
    console.print(
        f"conservation: {account.sent:,} rows sent = {account.lake:,} in the lake + {account.quarantined:,} in quarantine: "
        + ("[green]every row exactly once[/]" if account.ok else f"[red]{'; '.join(map(str, account.violations))}[/]")
    )
    for check in report.checks:
        console.print(f"{'[green]✓[/]' if check.ok else '[red]✗[/]'} {check.name}: {check.detail}")
    console.print(f"{report.seconds:.0f} s in all, {report.replay_seconds:.0f} s of them the replay")


def _windows_table(report: DemoReport) -> Table:
    made = _table(
        "AUC per window: version 1 left alone, and the loop", "#", "from", "rows", "labels", "v1", "loop", "gain", "drift", "champion"
    )
    for w in report.windows:
        score = w.score
        made.add_row(
            str(w.number),
            f"{w.window.start:%d %b}",
            f"{w.rows:,}",
            f"{100 * w.labelled / w.rows:.1f}%" if w.rows else "–",
            _figure(score.auc_frozen if score else None),
            _figure(score.auc_loop if score else None),
            _gain(report.metric, score.auc_loop if score else None, score.auc_frozen if score else None),
            w.verdict,
            _champion(w),
        )
    made.add_section()
    gain = _gain(report.metric, report.auc_loop, report.auc_frozen)
    made.add_row("", "mean", "", "", _figure(report.auc_frozen), _figure(report.auc_loop), gain, "", "")
    return made


def _champion(window: WindowReport) -> str:
    """Who scored the window, and who came after it."""
    if window.score is None:
        return "none yet"
    by = ", ".join(f"v{v}" for v in window.score.scored_by) or "none"
    return by if window.champion in window.score.scored_by[-1:] else f"{by} → v{window.champion}"


def _versions_table(versions: tuple[VersionStory, ...]) -> Table:
    made = _table("Versions, and their lead time to the first prediction by stage, in seconds", "#", "data", "gain", "", *STAGES, "lead")
    for v in versions:
        stages, measured = v.stages, v.measurements
        made.add_row(
            f"v{v.version}",
            v.recipe or "–",
            f"{measured.gain:+.3f}" if measured else "first",
            "champion" if v.promoted else "refused",
            *(_seconds([stages[moment] for moment in moments if moment in stages]) for moments in STAGES.values()),
            _seconds([v.lead_seconds] if v.lead_seconds is not None else []),
        )
    return made


def _table(title: str, *columns: str) -> Table:
    """Fits into 80 columns."""
    made = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        made.add_column(column, justify="left" if column in LEFT else "right", no_wrap=True)
    return made


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _gain(metric: str, loop: float | None, frozen: float | None) -> str:
    return "–" if loop is None or frozen is None else f"{find(metric).gain(loop, frozen):+.3f}"


def _seconds(parts: list[float]) -> str:
    return f"{sum(parts):.1f}" if parts else "–"
