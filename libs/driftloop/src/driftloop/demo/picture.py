"""A picture of the demo: AUC per window of version 1 and of the loop, with the promotions marked. Plain SVG."""

from collections.abc import Callable, Sequence
from html import escape

from driftloop.demo.report import DemoReport, WindowReport

WIDTH, HEIGHT = 920, 420
LEFT, RIGHT, TOP, BOTTOM = 60, 110, 84, 70
INK, GRID, FROZEN, LOOP = "#222", "#ddd", "#999", "#0b6fb8"
STEP = 0.02  # of AUC between two grid lines

_Scale = Callable[[float], float]


def picture(report: DemoReport) -> str:
    """The SVG document; a note instead of lines when no window has a figure."""
    windows = [w for w in report.windows if w.score is not None]
    figures = [f for w in windows if w.score for f in (w.score.auc_frozen, w.score.auc_loop) if f is not None]
    if not figures:
        return _document([_text(WIDTH / 2, HEIGHT / 2, "no window has both classes of labels", anchor="middle")])
    low, high = (int(min(figures) / STEP) * STEP, (int(max(figures) / STEP) + 1) * STEP)

    def y(auc: float) -> float:
        return HEIGHT - BOTTOM - (auc - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def x(i: float) -> float:
        return LEFT + i * (WIDTH - LEFT - RIGHT) / max(1, len(windows) - 1)

    frozen = [w.score.auc_frozen if w.score else None for w in windows]
    loop = [w.score.auc_loop if w.score else None for w in windows]
    return _document(
        [
            _text(LEFT, 26, "Will the flight be late? AUC on each new window, 2013", size=17, weight="bold"),
            _text(LEFT, 45, f"mean: loop {_shown(report.auc_loop)}, version 1 left alone {_shown(report.auc_frozen)}", size=13),
            *_grid(low, high, y),
            *_dates(windows, x),
            _line(frozen, x, y, FROZEN, "version 1 alone"),
            _line(loop, x, y, LOOP, "the loop"),
            *_promotions(windows, loop, x, y),
        ]
    )


def _grid(low: float, high: float, y: _Scale) -> list[str]:
    parts = []
    for k in range(round((high - low) / STEP) + 1):
        auc = low + k * STEP
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(auc):.1f}" y2="{y(auc):.1f}" stroke="{GRID}"/>')
        parts.append(_text(LEFT - 8, y(auc) + 4, f"{auc:.2f}", anchor="end"))
    return parts


def _dates(windows: Sequence[WindowReport], x: _Scale) -> list[str]:
    every = 1 + len(windows) // 12
    return [
        _text(x(i), HEIGHT - BOTTOM + 20, f"{w.window.start:%d %b}", anchor="middle", size=11)
        for i, w in enumerate(windows)
        if i % every == 0
    ] + [_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 20, "a dot: the window was scored by a newly promoted version", anchor="middle")]


def _line(values: Sequence[float | None], x: _Scale, y: _Scale, colour: str, name: str) -> str:
    points = [(x(i), y(value)) for i, value in enumerate(values) if value is not None]
    if not points:
        return ""
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    label = _text(points[-1][0] + 8, points[-1][1] + 4, name, colour=colour, weight="bold")
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5" stroke-linejoin="round"/>{label}'


def _promotions(windows: Sequence[WindowReport], loop: Sequence[float | None], x: _Scale, y: _Scale) -> list[str]:
    parts, before = [], 1
    for i, window in enumerate(windows):
        newest = max(window.score.scored_by, default=before) if window.score else before
        value = loop[i]
        if newest != before and value is not None:
            title = f"version {newest} from {window.window.start:%d %B}: AUC {value:.3f}"
            parts.append(f'<circle cx="{x(i):.1f}" cy="{y(value):.1f}" r="5" fill="{LOOP}"><title>{escape(title)}</title></circle>')
            parts.append(_text(x(i), y(value) - 10, f"v{newest}", anchor="middle", colour=LOOP, size=11))
        before = newest
    return parts


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, colour: str = INK, weight: str = "normal") -> str:
    style = f'text-anchor="{anchor}" font-size="{size}" fill="{colour}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _document(parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    body = "\n".join(["<rect width='100%' height='100%' fill='white'/>", *parts])
    return f'{head} font-family="system-ui, sans-serif">\n{body}\n</svg>\n'
