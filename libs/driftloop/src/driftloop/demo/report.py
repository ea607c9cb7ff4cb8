"""What the demo found, and which of it decides about the exit code; ``demo.json`` is made from it."""

from typing import Any

import msgspec

from driftloop.contracts.events import DecisionMade, DriftReported
from driftloop.contracts.values import Part, Window
from driftloop.datasets.split_check import SplitReport
from driftloop.demo.conservation import Conservation
from driftloop.demo.lead_time import VersionStory
from driftloop.demo.scores import WindowScore, mean
from driftloop.monitoring.drift import moved

AUC_FLOOR = 0.690  # of the loop's mean over the windows after the history, for the whole year


class Check(Part, frozen=True, kw_only=True):
    """One condition of exit code 0."""

    name: str
    ok: bool
    detail: str


class WindowReport(Part, frozen=True, kw_only=True):
    """One window: what happened in it, and what followed from it. ``score`` is null for the history."""

    number: int  # from 1
    window: Window
    rows: int
    labelled: int
    score: WindowScore | None
    drift: DriftReported | None
    decision: DecisionMade | None
    champion: int | None  # after the window has settled

    @property
    def verdict(self) -> str:
        """The drift report in words; the features that moved most come first."""
        if self.drift is None or self.drift.version is None:
            return "no reference" if self.score is None else "no report"
        if not self.drift.drifted:
            return "calm"
        drifted = {name: moved(drift) for name, drift in self.drift.features.items() if drift.drifted}
        first = sorted(drifted, key=lambda name: -drifted[name])[:2]
        more = f" +{len(drifted) - len(first)}" if len(drifted) > len(first) else ""
        return f"{', '.join(first)}{more}" if first else "score"


class DemoReport(Part, frozen=True, kw_only=True):
    """All of it."""

    seconds: float
    replay_seconds: float
    fraction: float
    whole: bool  # all flights of all windows
    seed: int | None
    realtime: float | None
    metric: str  # of the project
    windows: tuple[WindowReport, ...]
    versions: tuple[VersionStory, ...]
    conservation: Conservation
    split: SplitReport

    @property
    def auc_frozen(self) -> float | None:
        return mean([w.score.auc_frozen for w in self.windows if w.score is not None])

    @property
    def auc_loop(self) -> float | None:
        return mean([w.score.auc_loop for w in self.windows if w.score is not None])

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    @property
    def checks(self) -> list[Check]:
        account = self.conservation
        undecided = [w.number for w in self.windows if w.score is not None and w.decision is None]
        found = [
            Check(name="conservation", ok=account.ok, detail="; ".join(map(str, account.violations)) or "every row exactly once"),
            Check(
                name="every window decided",
                ok=not undecided,
                detail=f"no decision on {', '.join(map(str, undecided))}" if undecided else "yes",
            ),
            Check(name="no leak through the split", ok=self.split.ok, detail=str(self.split)),
        ]
        if self.whole:
            loop = self.auc_loop
            detail = "no figure" if loop is None else f"{loop:.3f}, at least {AUC_FLOOR:.3f}"
            found.append(Check(name="mean AUC of the loop", ok=loop is not None and loop >= AUC_FLOOR, detail=detail))
        return found

    def as_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self.as_dict()), indent=2)

    def as_dict(self) -> dict[str, Any]:
        """The keys of ``demo.json``."""
        account = self.conservation
        return {
            "ok": self.ok,
            "seconds": round(self.seconds, 1),
            "replay_seconds": round(self.replay_seconds, 1),
            "auc_frozen": self.auc_frozen,
            "auc_loop": self.auc_loop,
            "fraction": self.fraction,
            "seed": self.seed,
            "realtime": self.realtime,
            "checks": self.checks,
            "windows": [_window_dict(window) for window in self.windows],
            "versions": [_version_dict(version) for version in self.versions],
            "conservation": {
                "sent": account.sent,
                "lake": account.lake,
                "quarantined": account.quarantined,
                "ok": account.ok,
                "violations": [str(v) for v in account.violations],
            },
            "split": msgspec.to_builtins(self.split) | {"ok": self.split.ok},
        }


def _window_dict(window: WindowReport) -> dict[str, Any]:
    score, decision, drift = window.score, window.decision, window.drift
    return {
        "number": window.number,
        "start": window.window.start,
        "end": window.window.end,
        "rows": window.rows,
        "labelled": window.labelled,
        "coverage": window.labelled / window.rows if window.rows else 0.0,
        "unscored": score.unscored if score else window.rows,
        "scored_by": score.scored_by if score else (),
        "auc_frozen": score.auc_frozen if score else None,
        "auc_loop": score.auc_loop if score else None,
        "drifted": drift.drifted if drift else None,
        "drifted_features": sorted(name for name, d in drift.features.items() if d.drifted) if drift else [],
        "retrain": decision.accepted if decision else None,
        "reason": decision.reason if decision else None,
        "champion": window.champion,
    }


def _version_dict(version: VersionStory) -> dict[str, Any]:
    known = msgspec.to_builtins(version)
    return {**known, "stages": version.stages, "lead_seconds": version.lead_seconds}
