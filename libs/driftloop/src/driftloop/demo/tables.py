"""The report as a person reads it."""

from rich.console import Console
from rich.table import Table

from driftloop.demo.lead_time import MOMENTS, VersionStory
from driftloop.demo.report import DemoReport


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
    made = Table(title="Windows", title_justify="left", header_style="bold")
    right = {"rows", "labels", "version 1", "loop", "gain"}
    for column in ("", "from", "rows", "labels", "version 1", "loop", "gain", "drift", "scored by", "champion after"):
        made.add_column(column, justify="right" if column in right else "left")
    for w in report.windows:
        score = w.score
        both = score is not None and score.auc_frozen is not None and score.auc_loop is not None
        made.add_row(
            str(w.number),
            f"{w.window.start:%d %b}",
            f"{w.rows:,}",
            f"{100 * w.labelled / w.rows:.1f} %" if w.rows else "–",
            _figure(score.auc_frozen if score else None),
            _figure(score.auc_loop if score else None),
            f"{score.auc_loop - score.auc_frozen:+.3f}" if both and score and score.auc_loop and score.auc_frozen else "–",
            w.verdict,
            ", ".join(f"v{v}" for v in score.scored_by) if score else "history",
            f"v{w.champion}" if w.champion else "–",
        )
    made.add_section()
    loop, frozen = report.auc_loop, report.auc_frozen
    gain = f"{loop - frozen:+.3f}" if loop is not None and frozen is not None else "–"
    made.add_row("", "mean AUC", "", "", _figure(frozen), _figure(loop), gain, "", "", "")
    return made


def _versions_table(versions: tuple[VersionStory, ...]) -> Table:
    made = Table(title="Versions: seconds by stage on the way to production", title_justify="left", header_style="bold")
    for column in ("version", "why", "data", "gain", "verdict", *(m.replace("_", " ") for m in MOMENTS[1:]), "lead time"):
        made.add_column(column)
    for v in versions:
        stages, gain = v.stages, v.measurements
        made.add_row(
            f"v{v.version}",
            v.reason,
            v.recipe or "–",
            f"{gain.gain:+.4f}" if gain else "–",
            "champion" if v.promoted else "refused",
            *(f"{stages[m]:.1f}" if m in stages else "–" for m in MOMENTS[1:]),
            f"{v.lead_seconds:.1f}" if v.lead_seconds is not None else "–",
        )
    return made


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
