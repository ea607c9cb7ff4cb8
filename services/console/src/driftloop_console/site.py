"""Every page: its path, its template and what it says."""

from collections.abc import Callable
from typing import Any, NamedTuple

from driftloop_console.desk import Desk
from driftloop_console.pages import compare, data, drift, journal, models, now, performance, prediction, rejected, what_if
from driftloop_console.view import NotFound, View

Content = Callable[[Desk, View], dict[str, Any]]


class Page(NamedTuple):
    """``template``: of its HTML; None: a page that only scripts ask for."""

    path: str
    template: str | None
    content: Content


def _of_model(content: Callable[[Desk, View, str], dict[str, Any]]) -> Content:
    def of(desk: Desk, view: View) -> dict[str, Any]:
        model = desk.model_of(view)
        return {"model": None} if model is None else content(desk, view, model)

    return of


def _named(view: View) -> str:
    name = view.text("feature")
    if name is None:
        raise NotFound("which column? The address says it as feature=")
    return name


PAGES = (
    Page("/", "journal.html", lambda desk, view: journal.journal(desk.record, desk.registry(), view)),
    Page(
        "/what-if",
        "what_if.html",
        _of_model(lambda desk, view, model: what_if.what_if(desk.record, desk.registry(), desk.policies.of, view, model)),
    ),
    Page("/now", "now.html", lambda desk, view: now.now(desk.record, desk.registry(), desk.rounds, view)),
    Page("/performance", "performance.html", _of_model(lambda desk, view, model: performance.performance(desk.record, view, model))),
    Page("/drift", "drift.html", _of_model(lambda desk, view, model: drift.drift(desk.record, view, model))),
    Page("/feature", "feature.html", _of_model(lambda desk, view, model: drift.feature(desk.record, view, model, _named(view)))),
    Page(
        "/distribution",
        "distribution.html",
        _of_model(
            lambda desk, view, model: prediction.distribution(desk.record, desk.registry(), desk.ask, view, model, _named(view)),
        ),
    ),
    Page("/models", "models.html", _of_model(lambda desk, view, model: models.models(desk.record, desk.registry(), view, model))),
    Page(
        "/version", "version.html", _of_model(lambda desk, view, model: models.version(desk.record, desk.registry(), desk.ask, view, model))
    ),
    Page(
        "/compare",
        "compare.html",
        _of_model(lambda desk, view, model: compare.compare(desk.record, desk.registry(), desk.ask, view, model)),
    ),
    Page("/data", "data.html", _of_model(lambda desk, view, model: data.data(desk.record, desk.registry(), desk.store, view, model))),
    Page("/data-diff", "data_diff.html", _of_model(lambda desk, view, model: {"model": model, **data.diff(desk.ask, view)})),
    Page(
        "/quarantine", "quarantine.html", _of_model(lambda desk, view, model: rejected.quarantine(desk.registry(), desk.ask, view, model))
    ),
    Page("/rejected", "rejected.html", _of_model(lambda desk, view, model: rejected.message(desk.registry(), desk.ask, view, model))),
    Page("/redrive", "redrive.html", _of_model(lambda desk, view, model: rejected.redrive(desk.registry(), desk.ask, view, model))),
    Page("/prediction", "prediction.html", lambda desk, view: prediction.prediction(desk.ask, view)),
)
