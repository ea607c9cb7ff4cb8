"""A picture of a backtest: the metric on every window, a line for each policy, a dot where a promoted version takes over. Plain SVG."""

from collections.abc import Callable, Sequence
from html import escape

from driftloop.backtest.loop import PolicyResult
from driftloop.backtest.run import BacktestReport

WIDTH, HEIGHT = 920, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 70, 56
INK, GRID = "#222", "#ddd"
COLOURS = ("#0b6fb8", "#c2571a", "#2a7d4f", "#8a4fa3", "#8c6d00", "#999999")  # told apart by the colour-blind, too
LINES = 5  # of the grid

_Scale = Callable[[float], float]


def picture(report: BacktestReport) -> str:
    """The SVG document; a note instead of lines where the metric is defined on no window."""
    lines = report.policies if report.served is None else (report.served, *report.policies)
    figures = [score for policy in lines for score in policy.scores if score is not None]
    if not figures:
        return _document([_text(WIDTH / 2, HEIGHT / 2, f"{report.metric} is defined on no window", anchor="middle")])
    low, high = min(figures), max(figures)
    low, high = (low - 0.5, high + 0.5) if low == high else (low, high)

    def y(score: float) -> float:
        return HEIGHT - BOTTOM - (score - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def x(i: float) -> float:
        return LEFT + i * (WIDTH - LEFT - RIGHT) / max(1, len(report.windows) - 1)

    parts = [_text(LEFT, 26, f"{report.project}: {report.metric} on each new window", size=17, weight="bold"), *_grid(low, high, y)]
    every = 1 + len(report.windows) // 8
    dates = [(i, window.start) for i, window in enumerate(report.windows) if i % every == 0]
    parts += [_text(x(i), HEIGHT - BOTTOM + 20, f"{start:%d %b %Y}", anchor="middle", size=11) for i, start in dates]
    for number, policy in enumerate(lines):
        parts += _policy(policy, COLOURS[number % len(COLOURS)], number, x, y)
    return _document(parts)


def _policy(policy: PolicyResult, colour: str, number: int, x: _Scale, y: _Scale) -> list[str]:
    points = [(x(i), y(score)) for i, score in enumerate(policy.scores) if score is not None]
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    mean = "–" if policy.mean_score is None else f"{policy.mean_score:.4f}"
    about = f"{mean}, {policy.promotions} promotions" if policy.steps else mean  # another system's: it promotes nothing here
    parts = [
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>',
        _text(WIDTH - RIGHT + 12, TOP + 10 + 34 * number, policy.name[:20], colour=colour, weight="bold"),
        _text(WIDTH - RIGHT + 12, TOP + 25 + 34 * number, about, size=11),
    ]
    for i, (before, step) in enumerate(zip(policy.steps, policy.steps[1:], strict=False), start=1):
        if before.promoted and step.score is not None:
            title = escape(f"version {step.version} ({step.recipe}) from {step.window.start:%d %b %Y}: {step.score:.4f}")
            parts.append(f'<circle cx="{x(i):.1f}" cy="{y(step.score):.1f}" r="4.5" fill="{colour}"><title>{title}</title></circle>')
    return parts


def _grid(low: float, high: float, y: _Scale) -> list[str]:
    parts = []
    for k in range(LINES + 1):
        score = low + (high - low) * k / LINES
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(score):.1f}" y2="{y(score):.1f}" stroke="{GRID}"/>')
        parts.append(_text(LEFT - 8, y(score) + 4, f"{score:.3g}", anchor="end"))
    return parts


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, colour: str = INK, weight: str = "normal") -> str:
    style = f'text-anchor="{anchor}" font-size="{size}" fill="{colour}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'


def _document(parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    body = "\n".join(["<rect width='100%' height='100%' fill='white'/>", *parts])
    return f'{head} font-family="system-ui, sans-serif">\n{body}\n</svg>\n'
