"""Which event times have changed since the last look, whatever the store does in between."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from driftloop.contracts.values import Window
from driftloop.errors import TransientError
from driftloop.lake.notes import CommitNote
from driftloop.settings import S3Settings
from driftloop_monitor.lake_view import LakeView

FIRST, SECOND = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
S3 = S3Settings(endpoint="http://127.0.0.1:1", bucket="b", region="r", access_key="a", secret_key="s")


class Committed:
    """A table of the lake whose every commit brought rows of one time; its log may be out of reach."""

    def __init__(self, version: int, time: datetime) -> None:
        self.version, self._time, self.away = version, time, False

    def refresh(self) -> None:
        pass

    def note(self, version: int) -> CommitNote:
        if self.away:
            raise TransientError("the store is away for a moment")
        times = {"event_time_min": self._time, "event_time_max": self._time}
        return CommitNote(commit_id="c", version=version, at=self._time, rows=1, moves=(), watermarks={}, **times)


@pytest.fixture
def view(monkeypatch) -> tuple[LakeView, dict[str, Committed]]:
    """A view that has looked once, before each table got one more commit."""
    tables = {"inferences": Committed(4, FIRST), "labels": Committed(8, SECOND)}
    monkeypatch.setattr("driftloop_monitor.lake_view.LakeTable.open", lambda s3, stream, name: tables[name])
    view = LakeView(S3, "orders", "topic", 1)
    assert view.refresh()
    assert view.changed() == []
    for table in tables.values():
        table.version += 1
    return view, tables


def test_each_commit_is_told_of_once(view):
    lake, _ = view
    assert lake.changed() == [(FIRST, FIRST), (SECOND, SECOND)]
    assert lake.changed() == []


@pytest.mark.parametrize("name", ["inferences", "labels"])
def test_a_log_that_cannot_be_read_makes_no_commit_of_either_table_be_forgotten(view, name):
    lake, tables = view
    tables[name].away = True
    with pytest.raises(TransientError):
        lake.changed()
    tables[name].away = False
    assert lake.changed() == [(FIRST, FIRST), (SECOND, SECOND)]


def test_a_new_start_is_told_of_what_came_since_the_last_one_looked(view):
    before, _ = view
    again = LakeView(S3, "orders", "topic", 1)
    assert again.refresh()
    assert before.seen == {"inferences": 4, "labels": 8}
    assert again.changed(before.seen) == [(FIRST, FIRST), (SECOND, SECOND)]
    assert again.seen == {"inferences": 5, "labels": 9}
    assert again.changed(before.seen) == []


def test_a_category_is_read_from_the_column_that_holds_it_and_left_out_while_there_is_none(monkeypatch):
    stored = pa.schema([("event_time", pa.int64()), ("kind", pa.string()), ("size", pa.float64()), ("size__category", pa.string())])
    tables = {name: Committed(1, FIRST) for name in ("inferences", "labels")}
    tables["inferences"].schema = stored

    def rows(inferences, labels, *, columns, **_):
        return pa.table({name: pa.array([], pa.string()) for name in (*columns, "label")})

    monkeypatch.setattr("driftloop_monitor.lake_view.LakeTable.open", lambda s3, stream, name: tables[name])
    monkeypatch.setattr("driftloop_monitor.lake_view.labelled_rows", rows)
    view = LakeView(S3, "orders", "topic", 1, ("event_time", "kind", "size", "newer"))
    view.refresh()
    assert view.rows(Window(start=FIRST, end=SECOND)).column_names == ["event_time", "kind", "size", "label"]
