"""The report: its figures, its checks, its keys, its picture."""

import io
import json
import xml.etree.ElementTree as ElementTree
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console
from sklearn.metrics import log_loss
from sklearn.tree import DecisionTreeClassifier
from tests.unit.demo.world import WINDOW

from driftloop.artifact.scoring import Scorer, to_frame
from driftloop.contracts import codec
from driftloop.contracts.events import DecisionMade, DriftReported
from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.contracts.values import Window
from driftloop.datasets.split_check import SplitReport
from driftloop.demo.conservation import Conservation
from driftloop.demo.picture import picture
from driftloop.demo.report import DemoReport, WindowReport
from driftloop.demo.scores import WindowScore, mean, measured, score_windows
from driftloop.demo.tables import show
from driftloop.rows.schemas import TIME
from driftloop.statistics.metrics import for_task

AUC = for_task("roc_auc", "binary")
SPLIT = SplitReport(snapshots=2, rows=100, keys=10, held_out_rows=10, straddling=(), moved=(), rules=1)
LEAK = msgspec.structs.replace(SPLIT, moved=("e1",))
NO = DecisionMade(model="late", kind="retrain", accepted=False, reason="r", window=WINDOW, rule="f" * 64, evidence={})


def window(number: int, frozen: float | None, loop: float | None, *, version: int = 1, decided: bool = True) -> WindowReport:
    begins = WINDOW.start + timedelta(days=20 * number)
    interval = Window(start=begins, end=begins + timedelta(days=20))
    score = WindowScore(window=interval, rows=100, labelled=97, unscored=0, scored_by=(version,), auc_frozen=frozen, auc_loop=loop)
    return WindowReport(
        number=number, window=interval, rows=100, labelled=97, score=score, drift=None, decision=NO if decided else None, champion=version
    )


def report(*windows: WindowReport, fraction: float = 1.0, lake: int = 10, split: SplitReport = SPLIT) -> DemoReport:
    return DemoReport(
        seconds=10,
        replay_seconds=5,
        whole=fraction >= 1,
        fraction=fraction,
        seed=None,
        realtime=None,
        metric="roc_auc",
        windows=windows or (window(3, 0.66, 0.70), window(4, 0.64, 0.72, version=2)),
        versions=(),
        conservation=Conservation(sent=10, lake=lake, quarantined=0),
        split=split,
    )


def test_a_good_run_passes_every_check() -> None:
    assert report().ok


@pytest.mark.parametrize(
    ("made", "failed"),
    [
        (report(lake=9), "conservation"),
        (report(window(3, 0.66, 0.70, decided=False)), "every window decided"),
        (report(split=LEAK), "no leak through the split"),
        (report(window(3, 0.66, 0.689)), "mean AUC of the loop"),
        (report(window(3, 0.66, None)), "mean AUC of the loop"),
    ],
)
def test_each_check_can_fail(made: DemoReport, failed: str) -> None:
    assert not made.ok
    assert [check.name for check in made.checks if not check.ok] == [failed]


def test_a_part_of_the_flights_has_no_auc_floor() -> None:
    assert report(window(3, 0.66, 0.60), fraction=0.5).ok


def test_the_mean_is_over_all_windows_or_there_is_none() -> None:
    assert mean([0.6, 0.8]) == pytest.approx(0.7)
    assert mean([0.6, None]) is None
    assert mean([]) is None


def test_the_file_has_the_promised_keys() -> None:
    found = json.loads(report().as_json())

    assert {"seconds", "auc_frozen", "auc_loop", "windows", "versions", "conservation"} <= set(found)
    assert found["conservation"] == {"sent": 10, "lake": 10, "quarantined": 0, "ok": True, "violations": []}
    assert found["auc_loop"] == pytest.approx(0.71)


def test_a_person_sees_windows_means_and_checks() -> None:
    out = io.StringIO()
    show(report(), Console(file=out, width=160))

    assert "0.650" in out.getvalue()
    assert "0.710" in out.getvalue()
    assert "every row exactly once" in out.getvalue()


def test_the_picture_is_svg_with_two_lines_and_a_dot_per_promotion() -> None:
    drawn = ElementTree.fromstring(picture(report()))
    tag = "{http://www.w3.org/2000/svg}"

    assert len(drawn.findall(f"{tag}polyline")) == 2
    assert len(drawn.findall(f"{tag}circle")) == 1


def test_auc_leaves_out_rows_without_a_score_and_needs_both_classes() -> None:
    labels = [True, False, True, False]

    assert measured(AUC, pa.table({"label": labels, "prediction": labels, "score": [0.9, 0.1, None, 0.95]})) == 0.5
    assert measured(AUC, pa.table({"label": [True, True], "prediction": labels[:2], "score": [0.1, 0.2]})) is None


def test_a_target_of_several_classes_is_scored_by_its_probabilities_of_the_loop_and_of_the_frozen_model() -> None:
    target = Target(name="kind", type="category")
    schema = StreamSchema(stream="s", features=(Feature(name="amount", type="number"),), target=target)
    amounts, truth = [float(n) for n in range(60)], [("a", "b", "c")[n * n % 3 + n % 2] for n in range(60)]
    frame = to_frame(pa.table({"amount": amounts}), schema)
    models = [DecisionTreeClassifier(max_depth=depth, random_state=0).fit(frame, np.array(truth)) for depth in (1, 2)]
    frozen, loop = (Scorer(model, schema) for model in models)
    times = pa.array([WINDOW.start + timedelta(minutes=n) for n in range(60)], TIME)
    rows = pa.table({"event_time": times, "amount": amounts, "label": truth, "model_version": pa.array([2] * 60)})
    for name, column in loop.score(rows)._asdict().items():
        rows = rows.append_column(name, column)

    [found] = score_windows(
        rows, [Window(start=WINDOW.start, end=WINDOW.start + timedelta(hours=1))], frozen, for_task("log_loss", "multiclass")
    )

    assert (found.auc_frozen, found.auc_loop) == tuple(pytest.approx(log_loss(truth, model.predict_proba(frame))) for model in models)
    assert found.auc_loop < found.auc_frozen


def test_the_features_that_drifted_are_named_by_how_far_they_moved() -> None:
    example = Path(codec.__file__).parent / "examples" / "driftloop.drift-reported.v1+statistics.json"
    drift = msgspec.json.decode(example.read_bytes(), type=DriftReported)
    temp = drift.features["temp"]
    moved = {name: msgspec.structs.replace(temp, psi=psi, statistics={}) for name, psi in (("a", 0.3), ("b", 0.9), ("c", 0.5))}
    told = msgspec.structs.replace(window(3, 0.6, 0.7), drift=msgspec.structs.replace(drift, features=drift.features | moved))
    assert told.verdict == "b, c +2"


def test_the_tables_fit_into_a_narrow_terminal() -> None:
    out = io.StringIO()
    show(report(*[window(number, 0.66, 0.70, version=number) for number in range(3, 21)]), Console(file=out, width=80))

    assert "…" not in out.getvalue()
