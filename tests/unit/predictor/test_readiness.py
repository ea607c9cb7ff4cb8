"""When a predictor says that it is ready: not before it takes rows by HTTP."""

from types import SimpleNamespace
from typing import Any, cast

from tests.support.sample_project import sample_project
from tests.support.traffic import small_schema

from driftloop_predictor.http import Edge
from driftloop_predictor.status import PredictorHealth


def test_it_is_not_ready_before_rows_are_taken_by_http() -> None:
    edge = Edge(max_body_bytes=1000)
    health = PredictorHealth("predictor-0", cast(Any, SimpleNamespace(caught_up=True)), edge)
    assert health.ready() == (False, {"reason": "waiting for the project"})
    project = health.project = sample_project(small_schema("s"))
    health.model = cast(Any, SimpleNamespace(serving=object()))
    assert health.ready() == (False, {"reason": "rows by HTTP are not taken yet"})
    edge.open(project.schema, new_id=str, serving=lambda: None, recorder=cast(Any, None))
    assert health.ready() == (True, {"reason": "a model is loaded"})
