"""Canaries as people and the registry would move them, for tests of the fold."""

from datetime import timedelta

from tests.unit.registry.commands import MODEL, NOW, WINDOW, promote, register_project, register_version

from driftloop.contracts.canary import CanaryWindow, Move
from driftloop.contracts.commands import MoveCanary
from driftloop.contracts.values import PromotionRules, Window

STEPS = ("1 %", "10 %", "50 %")
RULES = PromotionRules(min_rows=50, canary=STEPS)
CHAMPION = (register_project(rules=RULES), register_version("r1"), promote("r1", epoch=0), register_version("r2"))


def move(
    to: Move,
    *,
    version: int = 2,
    epoch: int = 0,
    champion_epoch: int = 1,
    command_id: str | None = None,
    windows: tuple[CanaryWindow, ...] = (),
    alpha: float = 0.05,
    tolerance: float = 0.0,
) -> MoveCanary:
    return MoveCanary(
        command_id=command_id or f"{to}-{epoch}",
        at=NOW,
        actor="ada",
        reason="let us see",
        model=MODEL,
        version=version,
        move=to,
        champion_epoch=champion_epoch,
        expected_epoch=epoch,
        windows=windows,
        alpha=alpha,
        tolerance=tolerance,
    )


def window(
    n: int = 0, *, epoch: int = 1, difference: float = 0.0, error: float = 0.01, rows: int = 100, champion_rows: int = 900
) -> CanaryWindow:
    at = Window(start=WINDOW.start + n * timedelta(days=7), end=WINDOW.end + n * timedelta(days=7))
    return CanaryWindow(window=at, version=2, epoch=epoch, rows=rows, champion_rows=champion_rows, difference=difference, error=error)
