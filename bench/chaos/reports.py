"""Every drift and performance report beside the batch computation over the lake's rows."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.metrics import roc_auc_score, root_mean_squared_error

from bench.chaos.account import Left
from bench.chaos.checks import Check, differing
from bench.chaos.shops import Shop
from driftloop import Client
from driftloop.artifact.model_files import PROFILE, load_file, load_manifest
from driftloop.contracts.events import DriftReported, PerformanceReported
from driftloop.contracts.values import Window
from driftloop.monitoring.verdict import column_thresholds, feature_drift
from driftloop.ports import ObjectStore
from driftloop.statistics.histograms import Counter
from driftloop.statistics.profile import SCORE, Profile

FIGURES_AGREE = 1e-6  # relative; sums in another order


def drift_as_counted(shop: Shop, client: Client, store: ObjectStore, left: Left, windows: Sequence[Window]) -> Check:
    """The newest report of each window and version against the lake's rows below its closing offsets, column by column."""
    reports = [told.event for told in client.drift(shop.model)]
    profiles = _Profiles(client, store, shop.model)
    problems, columns, rows = [], 0, 0
    for report in reports:
        counted = _below(left.inferences_table, report)
        of_version = counted if report.version is None else counted.filter(pc.equal(counted.column("model_version"), report.version))
        what = f"window {report.window.start:%d %b %H:%M}, version {report.version}"
        problems += differing(what, {"rows": report.rows}, {"rows": of_version.num_rows})
        rows += of_version.num_rows
        if report.version is None:
            problems += [f"{what}: there are scored rows"] if _versions(counted) else []
            continue
        profile = profiles.of(report.version)
        counts = Counter(profile).count(of_version)
        for name, column in profile.columns.items():
            said = report.score if name == SCORE else report.features.get(name)
            thresholds = column_thresholds(profile, name, report.rows, report.thresholds)
            problems += differing(what, {name: said}, {name: feature_drift(column, counts[name], thresholds)})
            columns += 1
    problems += _unreported(windows, left.inferences_table, reports)
    revised = sum(report.revision > 0 for report in reports)
    figure = f"{len(reports)} reports ({revised} corrected) over {rows:,} rows and {columns} columns"
    return Check(f"{shop.name}: drift reports as counted", figure, tuple(problems))


def performance_as_measured(shop: Shop, client: Client) -> Check:
    """The newest report of each window and version against the joined rows: rows, labels, delay, and scikit-learn's metric."""
    joined = client.dataset(shop.name, columns=["event_id", "event_time", "prediction", "score", "model_version"]).to_arrow()
    reports = {(told.event.window.start, told.event.version): told.event for told in client.performance(shop.model)}
    problems, labelled = [], 0
    times = joined.column("event_time").cast(pa.int64()).to_numpy()
    seen = set()
    for report in {(r.window.start, r.window.end): r for r in reports.values()}.values():
        low, high = (np.searchsorted(times, int(time.timestamp() * 1e6)) for time in (report.window.start, report.window.end))
        rows = joined.slice(int(low), int(high - low))
        for version in (None, *_versions(rows)):
            of = rows if version is None else rows.filter(pc.equal(rows.column("model_version"), version))
            what, key = f"window {report.window.start:%d %b %H:%M}, version {version}", (report.window.start, version)
            seen.add(key)
            if key not in reports:
                problems.append(f"{what}: no performance report")
                continue
            problems += differing(what, _said(reports[key]), _measured(shop, of), FIGURES_AGREE)
            labelled += reports[key].labelled if version is None else 0
    problems += [f"window {start:%d %b %H:%M}, version {version}: a report on no rows" for start, version in reports.keys() - seen]
    revised = sum(report.revision > 0 for report in reports.values())
    figure = f"{len(reports)} reports ({revised} corrected) over {joined.num_rows:,} events, {labelled:,} of them labelled"
    return Check(f"{shop.name}: performance reports as measured", figure, tuple(problems))


class _Profiles:
    def __init__(self, client: Client, store: ObjectStore, model: str) -> None:
        self._store, self._model = store, model
        self._manifests = {version.version: version.manifest for version in client.model(model).versions}
        self._known: dict[int, Profile] = {}

    def of(self, version: int) -> Profile:
        if version not in self._known:
            digest = self._manifests[version]
            manifest = load_manifest(self._store, self._model, digest)
            self._known[version] = Profile.decode(load_file(self._store, manifest, digest, PROFILE))
        return self._known[version]


def _below(rows: pa.Table, report: DriftReported) -> pa.Table:
    time, chosen = rows.column("event_time"), pa.scalar(False)
    for partition, offset in report.closing_offsets.items():
        of = pc.and_(pc.equal(rows.column("partition"), int(partition)), pc.less(rows.column("offset"), offset))
        chosen = pc.or_(chosen, of)
    inside = pc.and_(pc.greater_equal(time, _scalar(report.window.start)), pc.less(time, _scalar(report.window.end)))
    return rows.filter(pc.and_(inside, chosen))


def _unreported(windows: Sequence[Window], rows: pa.Table, reports: Sequence[DriftReported]) -> list[str]:
    """Each version that scored rows of a window, below the offsets at which it was closed, has its report."""
    said: dict[datetime, set[int | None]] = {}
    for report in reports:
        said.setdefault(report.window.start, set()).add(report.version)
    problems = [f"window {w.start:%d %b %H:%M}: no drift report" for w in windows if w.start not in said]
    for report in {report.window.start: report for report in reports}.values():
        missing = set(_versions(_below(rows, report))) - said[report.window.start]
        problems += [f"window {report.window.start:%d %b %H:%M}: no drift report on version {version}" for version in sorted(missing)]
    return problems


def _versions(rows: pa.Table) -> list[int]:
    return sorted(v for v in pc.unique(rows.column("model_version")).to_pylist() if v is not None)


def _said(report: PerformanceReported) -> dict[str, Any]:
    return {
        "rows": report.rows,
        "labelled": report.labelled,
        "coverage": report.coverage,
        "median_label_delay_seconds": report.median_label_delay_seconds,
        "metric": None if report.measured is None else report.measured.value,
    }


def _measured(shop: Shop, rows: pa.Table) -> dict[str, Any]:
    labelled = rows.filter(rows.column("label").is_valid())
    delays = pc.subtract(labelled.column("label_time").cast(pa.int64()), labelled.column("event_time").cast(pa.int64())).to_numpy()
    return {
        "rows": rows.num_rows,
        "labelled": labelled.num_rows,
        "coverage": labelled.num_rows / rows.num_rows if rows.num_rows else 0.0,
        "median_label_delay_seconds": float(np.median(delays)) / 1e6 if delays.size else None,
        "metric": _METRICS[shop.metric](labelled.filter(labelled.column("score").is_valid())),
    }


def _roc_auc(rows: pa.Table) -> float | None:
    truth = rows.column("label").to_numpy()
    return float(roc_auc_score(truth, rows.column("score").to_numpy())) if len(set(truth.tolist())) == 2 else None


def _rmse(rows: pa.Table) -> float | None:
    return float(root_mean_squared_error(rows.column("label").to_numpy(), rows.column("prediction").to_numpy())) if rows.num_rows else None


_METRICS: dict[str, Callable[[pa.Table], float | None]] = {"roc_auc": _roc_auc, "rmse": _rmse}


def _scalar(time: datetime) -> pa.Scalar:
    return pa.scalar(time, pa.timestamp("us", tz="UTC"))
